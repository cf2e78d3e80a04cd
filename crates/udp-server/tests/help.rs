//! What `-h` and `--help` print.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;

use common::testing::{PATIENCE, help};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

#[test]
fn the_help_fits_the_terminal_and_breaks_no_word() {
    help::assert_wraps(UDP_SERVER);
}

#[test]
fn the_help_and_readme_have_the_same_options() {
    help::assert_readme_has_the_options(UDP_SERVER, &["all", "servers", "udp-server"]);
}

#[test]
fn the_examples_do_what_they_say() {
    help::assert_examples_serve(UDP_SERVER, |address| {
        let socket = UdpSocket::bind((address.ip(), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"a message, longer than the reply of a witness", address).unwrap();
        let mut reply = [0; 1024];
        let len = socket.recv(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply[..len]);
        assert!(reply.starts_with("Recvice") || reply.starts_with("host="), "{reply}");
    });
}
