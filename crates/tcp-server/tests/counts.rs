//! What counts for `--count` and `--idle-exit`, and what becomes of the others at the end.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{Event, PATIENCE, Server, run};
use nix::sys::signal::Signal;

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn start(args: &[&str]) -> Server {
    Server::start(TCP_SERVER, &[&["--listen", "127.0.0.1:0"], args].concat())
}

/// A connection that has sent `message`.
fn connect(server: &Server, message: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(message.as_bytes()).unwrap();
    stream
}

/// Reads up to the end, which must not be a reset.
fn to_the_end(stream: &mut TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Sends `message` and ends this side. Returns the reply.
fn exchange(server: &Server, message: &str) -> String {
    let mut stream = connect(server, message);
    stream.shutdown(Shutdown::Write).unwrap();
    to_the_end(&mut stream)
}

/// How a server with `--json` ends: its exit status, and `thing: reason` if it fails.
fn ended(server: Server) -> (Option<i32>, String) {
    let (status, lines) = server.finish();
    let last = Event::parse(lines.last().unwrap());
    let failure = (last.name() == "failure")
        .then(|| format!("{}: {}", last.text("thing"), last.text("reason")));
    (status, failure.unwrap_or_default())
}

#[test]
fn a_count_stops_the_server_and_nobody_else_is_answered() {
    let mut server = start(&["--count", "2"]);
    let mut silent = connect(&server, "");
    server.wait_for("Accept connection");
    // Stop the server, so that it sees all five at once.
    server.signal(Signal::SIGSTOP);
    let mut streams: Vec<_> = (0..5).map(|_| connect(&server, "hello")).collect();
    server.signal(Signal::SIGCONT);
    // A clean end for all: the messages of the others were read, too.
    let ends = streams.iter_mut().map(to_the_end);
    assert_eq!(ends.filter(|reply| reply == "ACK!").count(), 2);
    assert_eq!(to_the_end(&mut silent), "");
    drop(streams);
    let (status, lines) = server.finish();
    let received = lines.iter().filter(|line| *line == "[*] Received: hello").count();
    let unanswered = lines.iter().filter(|line| line.starts_with("[!] Not answered: ")).count();
    assert_eq!((received, unanswered), (5, 3));
    let totals = "[*] Stopped: 6 connections, 2 exchanges, 25 bytes in, 8 out; \
                  3 unanswered, 1 silent";
    assert_eq!((status, lines.last().unwrap().as_str()), (Some(0), totals));
}

#[test]
fn a_message_that_a_conversation_has_sent_is_read_when_a_count_ends_it() {
    let server = start(&["--conversation", "--count", "2"]);
    let mut streams: Vec<_> = (0..2).map(|_| connect(&server, "hello")).collect();
    streams[0].read_exact(&mut [0; 4]).unwrap();
    streams[1].read_exact(&mut [0; 4]).unwrap();
    assert!(streams.iter_mut().all(|stream| to_the_end(stream).is_empty()));
    drop(streams);
    assert_eq!(server.finish().0, Some(0));
    let server = start(&["--conversation", "--count", "1"]);
    server.signal(Signal::SIGSTOP);
    let mut streams: Vec<_> = (0..2).map(|_| connect(&server, "hello")).collect();
    server.signal(Signal::SIGCONT);
    let ends: String = streams.iter_mut().map(to_the_end).collect();
    assert_eq!(ends, "ACK!");
    drop(streams);
    let (_, lines) = server.finish();
    let totals = "[*] Stopped: 2 connections, 1 exchange, 10 bytes in, 4 out; 1 unanswered";
    assert_eq!(lines.last().unwrap(), totals);
}

#[test]
fn whoever_comes_while_several_workers_are_stopped_counts() {
    let args = ["--idle-exit", "1s", "--count", "2", "--workers", "4"];
    // Which worker is slower than the others is a matter of luck, so there are several.
    let servers: Vec<_> = (0..6).map(|_| start(&args)).collect();
    servers.iter().for_each(|server| server.signal(Signal::SIGSTOP));
    let streams: Vec<_> = servers.iter().map(|server| connect(server, "hello")).collect();
    thread::sleep(Duration::from_millis(1200));
    servers.iter().for_each(|server| server.signal(Signal::SIGCONT));
    for server in &servers {
        assert_eq!(exchange(server, "hello"), "ACK!", "the server goes on");
    }
    drop(streams);
    servers.into_iter().for_each(|server| assert_eq!(server.finish().0, Some(0)));
}

#[test]
fn several_workers_end_when_nobody_comes() {
    let server = start(&["--idle-exit", "300ms", "--workers", "4"]);
    let begun = Instant::now();
    assert_eq!(exchange(&server, "hello"), "ACK!");
    assert_eq!(server.finish().0, Some(0));
    assert!(begun.elapsed().as_millis() >= 300);
    let args = ["--listen", "127.0.0.1:0", "--idle-exit", "100ms", "--workers", "4"];
    let ended = run(TCP_SERVER, &args);
    assert_eq!(ended.stderr, "tcp-server: --idle-exit: nobody came in 100ms\n");
}

#[test]
fn whoever_waits_for_a_descriptor_has_come() {
    for (args, failure) in [
        (&[][..], (Some(0), "")),
        (
            &["--count", "1"],
            (Some(1), "--count 1: 0 exchanges, and somebody waits who could not be served"),
        ),
        (
            &["--expect-message", "hello"],
            (Some(2), "--idle-exit: somebody waits who could not be served"),
        ),
    ] {
        let mut server = start(&[&["--json", "--idle-exit", "500ms"], args].concat());
        if !server.limit_descriptors("3") {
            return;
        }
        let _waiting = connect(&server, "hello");
        server.wait_for_event("cannot_accept");
        assert_eq!(ended(server), (failure.0, failure.1.to_owned()));
    }
}

#[test]
fn whoever_waited_for_a_descriptor_is_answered_when_there_is_one() {
    let mut server = start(&["--idle-exit", "1s", "--count", "1"]);
    if !server.limit_descriptors("3") {
        return;
    }
    let mut waiting = connect(&server, "hello");
    server.wait_for("[!] Cannot accept for the moment: too many open files");
    // Longer than --idle-exit, and shorter than what it is put off by.
    thread::sleep(Duration::from_millis(1300));
    assert!(server.limit_descriptors("100"));
    assert_eq!(to_the_end(&mut waiting), "ACK!");
    drop(waiting);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn only_an_expected_message_counts() {
    let server = start(&["--expect-message", "token", "--count", "2"]);
    for message in ["", "toke", "a token", "token 1", "hello", "token 2"] {
        assert_eq!(exchange(&server, message), "ACK!", "{message}");
    }
    let (status, lines) = server.finish();
    let totals = "[*] Stopped: 6 connections, 6 exchanges, ";
    assert!(lines.last().unwrap().starts_with(totals), "{lines:?}");
    assert_eq!(status, Some(0));
}

#[test]
fn of_what_is_there_at_once_no_more_is_answered_than_counts() {
    let server = start(&["--expect-message", "token", "--count", "2"]);
    server.signal(Signal::SIGSTOP);
    let messages = ["hello", "token", "hello", "token", "token", "token"];
    let mut streams: Vec<_> = messages.iter().map(|message| connect(&server, message)).collect();
    server.signal(Signal::SIGCONT);
    let replies: Vec<_> = streams.iter_mut().map(to_the_end).collect();
    drop(streams);
    assert_eq!(server.finish().0, Some(0));
    let answered = messages.iter().zip(&replies).filter(|(_, reply)| *reply == "ACK!");
    assert_eq!(answered.filter(|(message, _)| **message == "token").count(), 2, "{replies:?}");
}

#[test]
fn a_connection_without_a_message_is_answered_and_counts_unless_one_is_expected() {
    let server = start(&["--count", "1"]);
    assert_eq!(exchange(&server, ""), "ACK!");
    assert_eq!(server.finish().0, Some(0));
    // Any message will do, but it has to be one.
    let server = start(&["--count", "1", "--expect-message", ""]);
    assert_eq!(exchange(&server, ""), "ACK!");
    assert_eq!(exchange(&server, "hello"), "ACK!", "it goes on");
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn nobody_came_with_the_expected_message() {
    for (args, failure) in [
        (&[][..], "--idle-exit: no expected message came in 300ms"),
        (&["--count", "1"], "--count 1: 0 expected exchanges, and then none for 300ms"),
    ] {
        let expecting = ["--json", "--idle-exit", "300ms", "--expect-message", "token"];
        let server = start(&[&expecting, args].concat());
        assert_eq!(exchange(&server, "hello"), "ACK!");
        assert_eq!(ended(server), (Some(1), failure.to_owned()));
    }
    // What was expected came, and then nobody.
    let server = start(&["--idle-exit", "300ms", "--expect-message", "token"]);
    assert_eq!(exchange(&server, "token"), "ACK!");
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn messages_that_are_not_expected_do_not_put_off_the_end() {
    let server = start(&["--idle-exit", "300ms", "--expect-message", "token"]);
    let begun = Instant::now();
    // A new connection each time, until the server has ended.
    let mut more = true;
    while more {
        assert!(begun.elapsed() < PATIENCE, "it goes on");
        let stream = TcpStream::connect(server.address());
        more = stream.is_ok_and(|mut stream| stream.write_all(b"hello").is_ok());
    }
    assert_eq!(server.finish().0, Some(1));
}
