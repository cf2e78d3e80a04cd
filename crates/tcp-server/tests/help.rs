//! What `-h` and `--help` print.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;

use common::testing::help;

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

#[test]
fn the_help_fits_the_terminal_and_breaks_no_word() {
    help::assert_wraps(TCP_SERVER);
}

#[test]
fn the_help_and_readme_have_the_same_options() {
    help::assert_readme_has_the_options(TCP_SERVER, &["all", "servers", "tcp-server"]);
}

#[test]
fn the_examples_do_what_they_say() {
    help::assert_examples_serve(TCP_SERVER, |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply == "ACK!" || reply.starts_with("host="), "{reply}");
    });
}
