//! What counts for `--count` and `--idle-exit`, and what becomes of the others at the end.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use common::protocol::UDP_REPLY;
use common::testing::{Event, PATIENCE, Server, run};
use nix::sys::signal::Signal;

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

fn start(args: &[&str]) -> Server {
    Server::start(UDP_SERVER, &[&["--listen", "127.0.0.1:0"], args].concat())
}

fn client(server: &Server) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server.address()).unwrap();
    socket
}

fn reply(client: &UdpSocket) -> String {
    let mut reply = [0; 1024];
    let len = client.recv(&mut reply).unwrap();
    String::from_utf8(reply[..len].to_vec()).unwrap()
}

fn exchange(server: &Server, message: &str) -> String {
    let client = client(server);
    client.send(message.as_bytes()).unwrap();
    reply(&client)
}

#[test]
fn a_count_stops_the_server_and_nobody_else_is_answered() {
    let server = start(&["--count", "2"]);
    let client = client(&server);
    // Stop the server, so that it sees all of them at once: more than it takes in a turn.
    server.signal(Signal::SIGSTOP);
    for _ in 0..99 {
        client.send(b"hello").unwrap();
    }
    client.send(UDP_REPLY.as_bytes()).unwrap();
    server.signal(Signal::SIGCONT);
    let (status, lines) = server.finish();
    // Each is counted as what it is.
    let totals = "[*] Stopped: 100 datagrams, 2 exchanges, 514 bytes in, 38 out; \
                  97 unanswered, 1 like a server's reply";
    assert_eq!((status, lines.last().unwrap().as_str()), (Some(0), totals));
    let us = client.local_addr().unwrap();
    let line = format!("[!] Not answered: {us}: --count was reached");
    assert_eq!(lines.iter().filter(|other| **other == line).count(), 97);
}

#[test]
fn whoever_comes_while_several_workers_are_stopped_counts() {
    let args = ["--idle-exit", "1s", "--count", "2", "--workers", "4"];
    // Which worker is slower than the others is a matter of luck, so there are several.
    let servers: Vec<_> = (0..6).map(|_| start(&args)).collect();
    servers.iter().for_each(|server| server.signal(Signal::SIGSTOP));
    let clients: Vec<_> = servers.iter().map(client).collect();
    clients.iter().for_each(|client| assert_eq!(client.send(b"hello").unwrap(), 5));
    thread::sleep(Duration::from_millis(1200));
    servers.iter().for_each(|server| server.signal(Signal::SIGCONT));
    for server in &servers {
        assert_eq!(exchange(server, "hello"), UDP_REPLY, "the server goes on");
    }
    servers.into_iter().for_each(|server| assert_eq!(server.finish().0, Some(0)));
}

#[test]
fn several_workers_end_when_nobody_comes() {
    let server = start(&["--idle-exit", "300ms", "--workers", "4"]);
    let begun = Instant::now();
    assert_eq!(exchange(&server, "hello"), UDP_REPLY);
    assert_eq!(server.finish().0, Some(0));
    assert!(begun.elapsed().as_millis() >= 300);
    let args = ["--listen", "127.0.0.1:0", "--idle-exit", "100ms", "--workers", "4"];
    let ended = run(UDP_SERVER, &args);
    assert_eq!(ended.stderr, "udp-server: --idle-exit: nobody came in 100ms\n");
}

#[test]
fn only_an_expected_message_counts() {
    let server = start(&["--expect-message", "token", "--count", "2"]);
    for message in ["", "toke", "a token", "token 1", "hello", "token 2"] {
        assert_eq!(exchange(&server, message), UDP_REPLY, "{message}");
    }
    let (status, lines) = server.finish();
    let totals = "[*] Stopped: 6 datagrams, 6 exchanges, ";
    assert!(lines.last().unwrap().starts_with(totals), "{lines:?}");
    assert_eq!(status, Some(0));
}

#[test]
fn of_what_is_there_at_once_no_more_is_answered_than_counts() {
    let server = start(&["--expect-message", "token", "--count", "2"]);
    let client = client(&server);
    server.signal(Signal::SIGSTOP);
    for message in ["hello", "token", "hello", "hello", "token", "token", "token", "hello"] {
        client.send(message.as_bytes()).unwrap();
    }
    server.signal(Signal::SIGCONT);
    let (status, lines) = server.finish();
    // The two that count, and what came before the second one.
    let totals = "[*] Stopped: 8 datagrams, 5 exchanges, 40 bytes in, 95 out; 3 unanswered";
    assert_eq!((status, lines.last().unwrap().as_str()), (Some(0), totals));
}

#[test]
fn nobody_came_with_the_expected_message() {
    for (args, failure) in [
        (&[][..], ("--idle-exit", "no expected message came in 300ms")),
        (&["--count", "1"], ("--count 1", "0 expected exchanges, and then none for 300ms")),
    ] {
        let expecting = ["--json", "--idle-exit", "300ms", "--expect-message", "token"];
        let server = start(&[&expecting, args].concat());
        assert_eq!(exchange(&server, "hello"), UDP_REPLY);
        let (status, lines) = server.finish();
        let last = Event::parse(lines.last().unwrap());
        assert_eq!((status, (last.text("thing"), last.text("reason"))), (Some(1), failure));
    }
    let server = start(&["--idle-exit", "300ms", "--expect-message", "token"]);
    assert_eq!(exchange(&server, "token"), UDP_REPLY);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn messages_that_are_not_expected_do_not_put_off_the_end() {
    let server = start(&["--idle-exit", "300ms", "--expect-message", "token"]);
    let client = client(&server);
    // The last one may come too late for an answer.
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let begun = Instant::now();
    let is_refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    // Until nobody listens any more.
    while !client.send(b"hello").and_then(|_| client.recv(&mut [0; 64])).is_err_and(is_refused) {
        assert!(begun.elapsed() < PATIENCE, "it goes on");
    }
    assert_eq!(server.finish().0, Some(1));
}
