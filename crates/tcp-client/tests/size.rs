//! `--size`: the message is padded.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;

use common::testing::Event;

use counterpart::{client, server};

/// Reads until the client ends its side, and answers nothing.
fn reader() -> (SocketAddr, JoinHandle<Vec<u8>>) {
    server("127.0.0.1:0", |mut stream: TcpStream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    })
}

#[test]
fn a_message_is_padded_and_the_client_says_so() {
    let (address, served) = reader();
    let args = ["-m", "hello", "--size", "2000", "-N", "--json", "-v"];
    let ended = client(address, &args);
    let probe = Event::as_documented(&ended.stdout, "tcp-client");
    assert_eq!(probe.number("padding_bytes"), 1995);
    assert!(ended.stderr.contains("[*] Message: 5 bytes, padded to 2000\n"), "{ended:?}");
    assert_eq!(served.join().unwrap(), ["hello", &".".repeat(1995)].concat().as_bytes());
    // Without a message, the tutorial's; and without --size no padding, and no word about it.
    let (address, served) = reader();
    client(address, &["--size", "23", "-N"]);
    assert_eq!(served.join().unwrap(), b"hehe, just for a test!.");
    let (address, served) = reader();
    let ended = client(address, &["-N", "--json", "-v"]);
    let probe = Event::as_documented(&ended.stdout, "tcp-client");
    assert_eq!(probe.number("padding_bytes"), 0);
    assert!(!ended.stderr.contains("padded"), "{ended:?}");
    served.join().unwrap();
}
