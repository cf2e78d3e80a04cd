//! The reply arrives, whatever peers send and however many there are.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use common::testing::{PATIENCE, Server};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::SockRef;

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn start() -> Server {
    Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"])
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads up to the end, which must not be a reset.
fn reply(stream: &mut TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
enum Writes {
    One,
    Many,
}

/// Sends `size` bytes, and reads up to the end. Shuts down writing only if there is
/// nothing to send.
fn send_and_read(server: SocketAddr, size: usize, writes: Writes) -> String {
    let mut stream = connect(server);
    let message = vec![b'x'; size];
    match writes {
        Writes::One => stream.write_all(&message).unwrap(),
        Writes::Many => message.chunks(700).for_each(|piece| stream.write_all(piece).unwrap()),
    }
    if size == 0 {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    reply(&mut stream)
}

#[test]
fn a_message_of_any_size_is_answered_and_the_end_is_clean() {
    let server = start();
    for size in [0, 1, 1023, 1024, 1025, 64 * 1024, 8 * 1024 * 1024] {
        for writes in [Writes::One, Writes::Many] {
            for _ in 0..if size > 1_000_000 { 5 } else { 60 } {
                assert_eq!(
                    send_and_read(server.address(), size, writes),
                    "ACK!",
                    "{size} {writes:?}"
                );
            }
        }
    }
}

#[test]
fn a_slow_message_is_answered_at_its_first_bytes() {
    let server = start();
    let mut stream = connect(server.address());
    stream.write_all(b"h").unwrap();
    assert_eq!(reply(&mut stream), "ACK!");
    // The server lingers, so sending more is no error.
    stream.write_all(b"ehe").unwrap();
}

#[test]
fn the_reply_comes_with_the_end() {
    let server = start();
    let mut stream = connect(server.address());
    stream.write_all(b"hello").unwrap();
    let mut buffer = [0; 16];
    assert_eq!(stream.read(&mut buffer).unwrap(), 4);
    // One segment carried both, so the end has come already.
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut buffer).unwrap(), 0);
}

#[test]
fn a_thousand_at_the_same_moment_while_five_hundred_are_silent() {
    const SILENT: usize = 500;
    const CLIENTS: usize = 1000;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let server = start();
    let address = server.address();
    let silent: Vec<_> = (0..SILENT).map(|_| connect(address)).collect();
    let together = Barrier::new(CLIENTS);
    let answered = thread::scope(|scope| {
        let client = || {
            together.wait();
            let mut stream = connect(address);
            stream.write_all(b"hehe, just for a test!").unwrap();
            reply(&mut stream) == "ACK!"
        };
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, client).unwrap()
            })
            .collect();
        clients.into_iter().filter_map(|client| client.join().ok()).filter(|&ok| ok).count()
    });
    assert_eq!(answered, CLIENTS);
    drop(silent);
    let (status, lines) = server.stop();
    assert_eq!(status, Some(0));
    // The silent connections ended their side at last, which is answered.
    let totals = lines.last().unwrap();
    assert!(totals.starts_with("[*] Stopped: 1500 connections, "), "{totals}");
}

#[test]
fn a_silent_client_does_not_keep_others_from_being_served() {
    let server = start();
    let mut silent = connect(server.address());
    assert_eq!(send_and_read(server.address(), 5, Writes::One), "ACK!");
    silent.write_all(b"at last").unwrap();
    assert_eq!(reply(&mut silent), "ACK!");
}

/// A server that has run out of descriptors, and its clients. All of them have sent a
/// message and stay: first those that have a descriptor, then those that are queued.
/// `None` if this machine does not let the test limit descriptors.
fn out_of_descriptors() -> Option<(Server, Vec<TcpStream>, Vec<TcpStream>)> {
    let mut server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0", "--linger", "1h"]);
    if !server.limit_descriptors("40") {
        return None;
    }
    let say_hello = |_| {
        let mut stream = connect(server.address());
        stream.write_all(b"hello").unwrap();
        stream
    };
    let mut served: Vec<_> = (0..60).map(say_hello).collect();
    server.wait_for("[!] Cannot accept for the moment: too many open files");
    let queued = served.split_off(40);
    Some((server, served, queued))
}

#[test]
fn queued_connections_are_answered_once_there_are_descriptors() {
    let Some((server, _served, mut queued)) = out_of_descriptors() else {
        return;
    };
    // No new connection causes an event, and no other one ends: the server only finds
    // the queued ones by trying again.
    assert!(server.limit_descriptors("200"));
    for stream in &mut queued {
        assert_eq!(reply(stream), "ACK!");
    }
}

#[test]
fn queued_connections_take_the_descriptors_of_those_that_end() {
    let Some((_server, served, mut queued)) = out_of_descriptors() else {
        return;
    };
    drop(served);
    for stream in &mut queued {
        assert_eq!(reply(stream), "ACK!");
    }
}

#[test]
fn without_descriptors_silent_connections_are_evicted() {
    let server = start();
    if !server.limit_descriptors("40") {
        return;
    }
    let _silent: Vec<_> = (0..60).map(|_| connect(server.address())).collect();
    assert_eq!(send_and_read(server.address(), 5, Writes::One), "ACK!");
    let (status, lines) = server.stop();
    assert_eq!(status, Some(0));
    assert!(lines.last().unwrap().contains(" evicted, "), "{lines:?}");
}

#[test]
fn without_descriptors_but_with_an_empty_queue_silent_connections_stay() {
    let mut server = start();
    // Leave room for five. The limit is the first descriptor that is not allowed.
    let is_free = |n: &i32| !Path::new(&format!("/proc/{}/fd/{n}", server.id())).exists();
    let fifth = (0..).filter(is_free).nth(4).unwrap();
    if !server.limit_descriptors(&(fifth + 1).to_string()) {
        return;
    }
    let mut silent: Vec<_> = (0..5).map(|_| connect(server.address())).collect();
    for _ in &silent {
        server.wait_for("[*] Accept connection from: ");
    }
    for stream in &mut silent {
        stream.write_all(b"at last").unwrap();
        assert_eq!(reply(stream), "ACK!");
    }
    drop(silent);
    let (_, lines) = server.stop();
    assert!(lines.last().unwrap().ends_with("5 connections, 5 exchanges, 35 bytes in, 20 out"));
    assert!(!lines.iter().any(|line| line.contains("Cannot accept")), "{lines:?}");
}

#[test]
fn resets_before_and_after_data_affect_no_other_connection() {
    let server = start();
    for n in 0..1000 {
        let mut stream = connect(server.address());
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        if n % 2 == 0 {
            stream.write_all(b"and gone").unwrap();
        }
        drop(stream);
    }
    assert_eq!(send_and_read(server.address(), 5, Writes::One), "ACK!");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_peer_that_sends_without_end_starves_nobody() {
    let server = start();
    let address = server.address();
    thread::scope(|scope| {
        let mut endless = connect(address);
        endless.set_write_timeout(Some(PATIENCE)).unwrap();
        let flood = scope.spawn(move || {
            // Until the server closes the connection.
            loop {
                if let Err(error) = endless.write_all(&[b'x'; 65536]) {
                    return error.kind();
                }
            }
        });
        for _ in 0..100 {
            assert_eq!(send_and_read(address, 5, Writes::One), "ACK!");
        }
        let ended = flood.join().unwrap();
        assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
    });
}
