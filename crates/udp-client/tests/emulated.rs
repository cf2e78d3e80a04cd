//! The client under qemu-user, which refuses some options of sockets.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]
#![cfg(target_arch = "x86_64")]

use std::net::UdpSocket;
use std::process::Stdio;

use common::testing::{Running, peer};

#[test]
fn an_emulated_client_is_answered_and_says_what_is_missing() {
    let Some(mut command) = peer("qemu-x86_64", "qemu-x86_64 --version") else {
        return;
    };
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    command.args([env!("CARGO_BIN_EXE_udp-client"), &address, "-m", "hello", "-v"]);
    let client = Running::spawn(command, Stdio::null());
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    server.send_to(b"Recvice message ok!", peer).unwrap();
    let ended = client.finish();
    assert_eq!((ended.stdout.as_str(), ended.status), ("Recvice message ok!\n", Some(0)));
    assert!(ended.stderr.contains("[*] Without SO_TIMESTAMPNS ("), "{ended:?}");
}
