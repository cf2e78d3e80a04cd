//! `--witness`: what a server says of the datagrams that have come to it.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;

use common::inquiry::{self, Answer, Question, Seen};
use common::protocol::UDP_REPLY;
use common::testing::{PATIENCE, Server, quiet_command};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

fn start(listen: &str, args: &[&str]) -> Server {
    let mut command = quiet_command(UDP_SERVER);
    command.args(["--listen", listen]).args(args);
    Server::spawn(command, 1)
}

fn client(server: &Server) -> UdpSocket {
    let ip = if server.address().is_ipv6() { "::1" } else { "127.0.0.1" };
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect((ip, server.address().port())).unwrap();
    socket
}

fn exchange(client: &UdpSocket, message: &[u8]) -> Vec<u8> {
    client.send(message).unwrap();
    let mut reply = vec![0; 2048];
    let len = client.recv(&mut reply).unwrap();
    reply.truncate(len);
    reply
}

fn port(client: &UdpSocket) -> u16 {
    client.local_addr().unwrap().port()
}

/// An inquiry of `asker` about these ports.
fn inquiry(asker: &UdpSocket, ports: &[u16]) -> Vec<u8> {
    let questions = ports.iter().map(|port| Question { port: *port, within_ms: 60_000 });
    inquiry::write(questions, "some-name-that-is-long-enough", asker.local_addr().unwrap())
}

#[test]
fn a_witness_knows_how_many_came_from_each_port_whichever_worker_has_received_them() {
    for (listen, workers) in [("127.0.0.1:0", "1"), ("[::1]:0", "1"), ("127.0.0.1:0", "4")] {
        let server = start(listen, &["--witness", "--workers", workers]);
        let [a, b, silent, asker] = [(); 4].map(|()| client(&server));
        exchange(&a, b"hello");
        (0..3).for_each(|_| assert!(exchange(&b, b"hello").starts_with(b"host=")));
        let asked = inquiry(&asker, &[port(&a), port(&b), port(&silent), port(&asker)]);
        let reply = exchange(&asker, &asked);
        assert!(reply.len() <= asked.len());
        let answer = Answer::parse(&reply).unwrap();
        assert_eq!(answer.peer, asker.local_addr().unwrap());
        let count = |of: &UdpSocket| answer.of(port(of)).unwrap().count;
        assert_eq!([&a, &b, &silent].map(count), [1, 3, 0]);
        let nothing = Seen { count: 0, oldest_ms: 0 };
        assert_eq!(answer.of(port(&asker)), Some(nothing), "an inquiry itself is not entered");
        assert!(answer.since_ms < 60_000, "since the start");
    }
}

#[test]
fn an_inquiry_gets_no_more_bytes_than_it_has_and_without_witness_it_is_a_message() {
    let witness = start("127.0.0.1:0", &["--witness"]);
    let asker = client(&witness);
    for message in ["seen? 1/1", "seen? 1/1 2/2 3/3                 "] {
        let reply = exchange(&asker, message.as_bytes());
        assert!(reply.len() <= message.len(), "{reply:?}");
    }
    let plain = start("127.0.0.1:0", &[]);
    let asker = client(&plain);
    assert_eq!(exchange(&asker, &inquiry(&asker, &[1])), UDP_REPLY.as_bytes());
}

#[test]
fn an_inquiry_does_not_count_in_the_place_of_a_message_that_was_lost() {
    let server = start("127.0.0.1:0", &["--witness", "--count", "2"]);
    let [first, asker] = [(); 2].map(|()| client(&server));
    exchange(&first, b"one");
    for _ in 0..3 {
        let reply = exchange(&asker, &inquiry(&asker, &[port(&first)]));
        assert_eq!(Answer::parse(&reply).unwrap().of(port(&first)).unwrap().count, 1);
    }
    exchange(&first, b"two");
    let (status, lines) = server.finish();
    assert_eq!(status, Some(0));
    assert!(lines.last().unwrap().contains("5 datagrams, 5 exchanges"), "{lines:?}");
}

#[test]
fn of_a_port_whose_datagrams_the_server_did_not_answer_nothing_is_said() {
    let server = start("127.0.0.1:0", &["--witness", "--rate", "1"]);
    let client = client(&server);
    exchange(&client, b"one");
    // This is what a server answers.
    client.send(b"ACK!").unwrap();
    let reply = exchange(&client, &inquiry(&client, &[port(&client), 1]));
    let answer = Answer::parse(&reply).unwrap();
    assert_eq!(answer.of(port(&client)), None);
    assert_eq!(answer.of(1), Some(Seen { count: 0, oldest_ms: 0 }));
}
