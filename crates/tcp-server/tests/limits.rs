//! Time-outs and limits, and which connections are closed to make room for others.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{Event, PATIENCE, Server, peer, run_command};
use socket2::{Domain, Socket, Type};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn start(args: &[&str]) -> Server {
    Server::start(TCP_SERVER, &[&["--json", "--listen", "127.0.0.1:0"], args].concat())
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection from another loopback address.
fn connect_from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // A port in TIME_WAIT must not keep another test from using it.
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::V4(Ipv4Addr::from(source)), 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Sends a message, and returns all that comes up to the end, which must not be a reset.
fn exchange(mut stream: TcpStream) -> String {
    stream.write_all(b"hello").unwrap();
    to_the_end(&mut stream)
}

fn to_the_end(stream: &mut TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Sends a message, and returns whether it is answered. A refused connection may end by a
/// reset.
fn is_answered(mut stream: TcpStream) -> bool {
    let mut reply = String::new();
    let result = stream.write_all(b"hello").and_then(|()| stream.read_to_string(&mut reply));
    result.is_ok() && reply == "ACK!"
}

/// Sends a message on one connection after the other, until one is answered.
fn until_answered(connect: impl Fn() -> TcpStream) {
    let patience = Instant::now() + PATIENCE;
    while !is_answered(connect()) {
        assert!(Instant::now() < patience, "there never is room");
    }
}

/// Stops the server, and returns its totals.
fn totals(server: Server) -> Event {
    let (status, lines) = server.stop();
    assert_eq!(status, Some(0));
    let stopped = Event::parse(lines.last().unwrap());
    assert_eq!(stopped.name(), "stopped");
    stopped
}

#[test]
fn who_has_closed_makes_room_before_who_is_silent() {
    let server = start(&["--max-connections", "2", "--max-per-source", "2"]);
    let silent = connect(server.address());
    for _ in 0..50 {
        assert_eq!(exchange(connect(server.address())), "ACK!");
    }
    assert_eq!(exchange(silent), "ACK!");
    let totals = totals(server);
    assert_eq!((totals.number("evicted"), totals.number("refused")), (0, 0));
}

#[test]
fn a_silent_connection_times_out() {
    let mut server = start(&["--read-timeout", "200ms"]);
    let begun = Instant::now();
    let mut silent = connect(server.address());
    let timed_out = server.wait_for_event("timed_out");
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(timed_out.text("peer"), silent.local_addr().unwrap().to_string());
    assert_eq!(timed_out.number("after_ms"), 200);
    assert_eq!(to_the_end(&mut silent), "");
    assert_eq!(exchange(connect(server.address())), "ACK!");
    assert_eq!(totals(server).number("timed_out"), 1);
}

#[test]
fn the_server_waits_for_a_peer_to_close_as_long_as_linger_says() {
    let server = start(&["--linger", "200ms", "--max-connections", "1"]);
    let mut lingering = connect(server.address());
    lingering.write_all(b"hello").unwrap();
    assert_eq!(to_the_end(&mut lingering), "ACK!");
    // It is not silent, so it is not evicted. There is room once it is over.
    until_answered(|| connect(server.address()));
    assert!(totals(server).number("refused") > 0, "nobody had to wait");
}

#[test]
fn the_oldest_silent_connection_is_evicted() {
    let mut server = start(&["--max-connections", "20"]);
    let mut silent: Vec<_> = (0..20).map(|_| connect(server.address())).collect();
    for _ in &silent {
        server.wait_for_event("accepted");
    }
    for n in 0..5 {
        assert_eq!(exchange(connect(server.address())), "ACK!", "the one that comes is served");
        if n == 0 {
            let evicted = server.wait_for_event("evicted");
            assert_eq!(evicted.text("peer"), silent[0].local_addr().unwrap().to_string());
            assert_eq!(to_the_end(&mut silent[0]), "");
        }
    }
    // The youngest is still connected.
    assert_eq!(exchange(silent.pop().unwrap()), "ACK!");
    let totals = totals(server);
    assert_eq!((totals.number("connections"), totals.number("exchanges")), (25, 6));
    let (evicted, silent) = (totals.number("evicted"), totals.number("silent"));
    assert_eq!(evicted + silent, 19);
    assert!((1..=5).contains(&evicted), "{evicted}");
}

#[test]
fn a_connection_with_a_message_is_not_evicted() {
    let server = start(&["--max-connections", "2"]);
    // Stop the server, so that it sees the messages and the newcomer at once.
    server.signal(nix::sys::signal::Signal::SIGSTOP);
    let mut streams: Vec<_> = (0..3).map(|_| connect(server.address())).collect();
    for stream in &mut streams {
        stream.write_all(b"hello").unwrap();
    }
    server.signal(nix::sys::signal::Signal::SIGCONT);
    let replies: Vec<_> = streams[..2].iter_mut().map(to_the_end).collect();
    assert_eq!(replies, ["ACK!", "ACK!"]);
    // The newcomer is refused while its message is unread: a reset, or an end.
    assert!(!matches!(streams[2].read(&mut [0; 4]), Ok(1..)));
    drop(streams);
    let totals = totals(server);
    assert_eq!((totals.number("evicted"), totals.number("refused")), (0, 1));
}

#[test]
fn one_source_has_no_more_connections_than_allowed() {
    let mut server = start(&["--max-per-source", "3"]);
    let address = server.address();
    let mut held: Vec<_> = (0..3).map(|_| connect_from([127, 0, 0, 1], address)).collect();
    let mut fourth = connect_from([127, 0, 0, 1], address);
    let refused = server.wait_for_event("refused");
    assert_eq!(refused.text("peer"), fourth.local_addr().unwrap().to_string());
    assert_eq!((refused.text("limit"), refused.number("most")), ("max_per_source", 3));
    assert_eq!(to_the_end(&mut fourth), "");
    assert_eq!(exchange(connect_from([127, 0, 0, 2], address)), "ACK!", "another source");
    // A place that becomes free can be taken.
    assert_eq!(exchange(held.pop().unwrap()), "ACK!");
    until_answered(|| connect_from([127, 0, 0, 1], address));
}

#[test]
fn a_message_that_comes_while_the_process_is_stopped_comes_in_time() {
    let mut server = start(&["--read-timeout", "500ms"]);
    let mut stream = connect(server.address());
    server.wait_for_event("accepted");
    server.signal(nix::sys::signal::Signal::SIGSTOP);
    stream.write_all(b"hello").unwrap();
    thread::sleep(Duration::from_millis(700));
    server.signal(nix::sys::signal::Signal::SIGCONT);
    assert_eq!(to_the_end(&mut stream), "ACK!");
}

#[test]
fn a_connection_that_comes_just_after_another_one_ended_is_not_refused() {
    for workers in ["1", "4"] {
        comes_just_after_another_one_ended(workers);
    }
}

fn comes_just_after_another_one_ended(workers: &str) {
    let server = start(&["--max-per-source", "1", "--workers", workers]);
    let address = server.address();
    let (modest, others) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Others keep the server accepting, so that it does not see at once which
        // connection has ended.
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                drop(connect_from(others, address));
            }
        });
        let answered = (0..1000).take_while(|_| is_answered(connect_from(modest, address)));
        let answered = answered.count();
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(answered, 1000, "{workers} workers");
    });
}

#[test]
fn all_workers_together_have_no_more_connections_than_allowed() {
    for (most, args) in [(6, ["6", "4"]), (1, ["1", "4"])] {
        let [most_connections, workers] = args;
        let args = ["--linger", "1h", "--max-connections", most_connections, "--workers", workers];
        let server = start(&args);
        let mut streams: Vec<_> = (0..100).map(|_| connect(server.address())).collect();
        let is_answered = |stream: &mut TcpStream| {
            // A refused connection may end by a reset.
            stream.write_all(b"hello").is_ok() && stream.read(&mut [0; 4]).is_ok_and(|len| len == 4)
        };
        let answered = streams.iter_mut().filter_map(|stream| is_answered(stream).then_some(()));
        assert_eq!(answered.count(), most, "of {args:?}");
        drop(streams);
        let totals = totals(server);
        assert_eq!(totals.number("refused") + totals.number("evicted"), 100 - most as u64);
    }
}

#[test]
fn data_after_urgent_data_is_received() {
    let server = start(&["--conversation"]);
    let mut stream = connect(server.address());
    // Stop the server, so that it sees all three at once. Urgent data stops a receive
    // short, but is not the end.
    server.signal(nix::sys::signal::Signal::SIGSTOP);
    stream.write_all(b"one").unwrap();
    socket2::SockRef::from(&stream).send_out_of_band(b"!").unwrap();
    stream.write_all(b"two").unwrap();
    server.signal(nix::sys::signal::Signal::SIGCONT);
    let mut replies = [0; 8];
    stream.read_exact(&mut replies).unwrap();
    assert_eq!(&replies, b"ACK!ACK!");
    drop(stream);
    assert_eq!(totals(server).number("exchanges"), 2);
}

#[test]
fn in_a_conversation_every_message_is_answered() {
    let mut server = start(&["--conversation"]);
    let mut stream = connect(server.address());
    for message in ["one", "two", "three"] {
        stream.write_all(message.as_bytes()).unwrap();
        let mut reply = [0; 4];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"ACK!");
        assert_eq!(server.wait_for_event("received").text("message"), message);
    }
    // The server neither ends nor sends anything more until this side ends.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(to_the_end(&mut stream), "");
    let totals = totals(server);
    assert_eq!((totals.number("connections"), totals.number("exchanges")), (1, 3));
    assert_eq!((totals.number("bytes_received"), totals.number("bytes_sent")), (11, 12));
}

#[test]
fn a_count_ends_a_conversation_without_a_reset() {
    let server = start(&["--conversation", "--count", "1"]);
    let mut stream = connect(server.address());
    // As many bytes as three messages: the server never reads two of them.
    stream.write_all(&[b'x'; 3000]).unwrap();
    assert_eq!(to_the_end(&mut stream), "ACK!", "and then a clean end");
    drop(stream);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn a_stop_ends_a_conversation_that_is_under_way() {
    let long = "y".repeat(1024);
    let server = start(&["--conversation", "--linger", "1h", "--reply", &long]);
    let mut stream = connect(server.address());
    // A peer that does not read fills the buffers, until a reply is under way.
    stream.set_nonblocking(true).unwrap();
    let mut full = None;
    while full.is_none_or(|since: Instant| since.elapsed() < Duration::from_millis(300)) {
        match stream.write(&[b'x'; 1024]) {
            Ok(1..) => full = None,
            _ => full = full.or(Some(Instant::now())),
        }
    }
    stream.set_nonblocking(false).unwrap();
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(to_the_end(&mut stream).len().is_multiple_of(1024), "whole replies");
    drop(stream);
    let (status, lines) = server.finish();
    let stopped = Event::parse(lines.last().unwrap());
    assert_eq!((status, stopped.number("timed_out"), stopped.number("lost")), (Some(0), 0, 0));
}

#[test]
fn a_conversation_that_stops_times_out() {
    let mut server = start(&["--conversation", "--read-timeout", "200ms"]);
    let mut stream = connect(server.address());
    stream.write_all(b"hello").unwrap();
    assert_eq!(to_the_end(&mut stream), "ACK!", "and then a clean end");
    server.wait_for_event("timed_out");
}

#[test]
fn a_server_that_listens_has_a_descriptor_for_a_connection() {
    for limit in 3..32 {
        let limited = || {
            let mut command = peer("prlimit", "prlimit --version")?;
            let limit = format!("--nofile={limit}:{limit}");
            command.args([&limit, TCP_SERVER, "-l", "127.0.0.1:0"]);
            Some(command)
        };
        let (Some(mut brief), Some(command)) = (limited(), limited()) else {
            return;
        };
        brief.args(["--idle-exit", "1ms"]);
        let ended = run_command(brief, b"");
        // 1: it has listened, and nobody came. With fewer descriptors it does not even start.
        if ended.status != Some(1) {
            continue;
        }
        let server = Server::spawn(command, 1);
        assert_eq!(exchange(connect(server.address())), "ACK!", "--nofile={limit}");
        return;
    }
    panic!("no server listens");
}
