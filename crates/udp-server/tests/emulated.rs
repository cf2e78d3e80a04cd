//! The server under qemu-user, which answers some system calls otherwise than a kernel.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]
#![cfg(target_arch = "x86_64")]

use std::net::UdpSocket;

use common::protocol::UDP_REPLY;
use common::testing::{PATIENCE, Server, peer};

#[test]
fn an_emulated_server_answers_and_prints_its_totals() {
    let Some(mut command) = peer("qemu-x86_64", "qemu-x86_64 --version") else {
        return;
    };
    command.args([env!("CARGO_BIN_EXE_udp-server"), "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(command, 1);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"hello", server.address()).unwrap();
    let mut reply = [0; 64];
    let len = client.recv(&mut reply).unwrap();
    assert_eq!(&reply[..len], UDP_REPLY.as_bytes());
    let (status, lines) = server.stop();
    assert_eq!(lines.last().unwrap(), "[*] Stopped: 1 datagram, 1 exchange, 5 bytes in, 19 out");
    assert_eq!(status, Some(0));
}
