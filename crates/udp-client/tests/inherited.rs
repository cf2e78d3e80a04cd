//! What the client inherits from whoever starts it: signals, and limits.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;

use common::testing::{NamelessFile, Running, quiet_command, run_with, with_blocked};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn signals_that_were_blocked_at_the_start_end_the_client() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().to_string();
        let start = || Running::start(UDP_CLIENT, &[&address, "-m", "hello"]);
        let client = with_blocked(signal, start);
        server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(signal);
        assert_eq!(client.finish().status, None, "ended by the signal");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_an_output_that_cannot_be_written() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let answering = thread::spawn(move || {
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        server.send_to(b"Recvice message ok!", peer).unwrap();
    });
    let mut command = quiet_command("sh");
    let script = r#"ulimit -f 0; exec "$0" "$1" -m hello >&0"#;
    command.args(["-c", script, UDP_CLIENT, &address]);
    assert_eq!(run_with(command, NamelessFile::new().stdio()).status, Some(1));
    answering.join().unwrap();
}
