//! `--size`: the message is padded.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;

use common::testing::{Event, run};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn a_datagram_is_padded_and_the_client_says_so() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let mut datagram = vec![0; 65536];
        let mut received = Vec::new();
        for _ in 0..3 {
            let (len, peer) = socket.recv_from(&mut datagram).unwrap();
            received.push(datagram[..len].to_vec());
            socket.send_to(b"ok", peer).unwrap();
        }
        received
    });
    let ended = run(UDP_CLIENT, &[&address, "-m", "hello", "--size", "65507", "--json", "-v"]);
    let probe = Event::as_documented(&ended.stdout, "udp-client");
    assert_eq!((probe.text("verdict"), probe.number("padding_bytes")), ("ok", 65_502));
    assert!(ended.stderr.contains("[*] Message: 5 bytes, padded to 65507\n"), "{ended:?}");
    // In a run without a message, the tutorial's is padded.
    let ended = run(UDP_CLIENT, &[&address, "-c", "2", "-i", "10ms", "--size", "23", "-q"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let padded = "hehe, just for a test!.".to_owned();
    let long = ["hello", &".".repeat(65_502)].concat();
    let received = serving.join().unwrap();
    assert_eq!(received, [long, padded.clone(), padded].map(String::into_bytes));
}
