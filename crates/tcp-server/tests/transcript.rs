//! What the server prints.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use common::testing::{Event, PATIENCE, Server, quiet_command, run};
use socket2::{Domain, Socket, Type};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

/// Sends `message` and shuts down writing. Returns the reply, and our address.
fn exchange(server: SocketAddr, message: &[u8]) -> (String, SocketAddr) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(message).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    (reply, stream.local_addr().unwrap())
}

#[test]
fn the_tutorials_lines() {
    let mut server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"]);
    let (reply, us) = exchange(server.address(), b"hehe, just for a test!");
    assert_eq!(reply, "ACK!");
    assert_eq!(server.line(), format!("[*] Accept connection from: {us}"));
    assert_eq!(server.line(), "[*] Received: hehe, just for a test!");
    let (status, rest) = server.stop();
    assert_eq!(rest, ["[*] Stopped: 1 connection, 1 exchange, 22 bytes in, 4 out"]);
    assert_eq!(status, Some(0));
}

#[test]
fn the_first_line_names_the_bound_address() {
    let server = Server::start(TCP_SERVER, &["--listen", "0.0.0.0:0"]);
    assert_eq!(server.listening_on()[0].ip().to_string(), "0.0.0.0");
    assert_ne!(server.listening_on()[0].port(), 0);
}

#[test]
fn what_a_peer_sends_is_printed_safely() {
    let mut server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"]);
    for (message, printed) in [
        ("中文".as_bytes(), "中文"),
        (b"", ""),
        (b"one\n[*] Received: forged\n", r"one\n[*] Received: forged\n"),
        (b"\x1b]0;title\x07\xff\\", r"\x1b]0;title\x07\xff\\"),
        (b"[*] x", "[*] x"),
        (b"x (1500 bytes, the first 1024 shown)", r"x (1500 bytes, the first 1024 shown\x29"),
    ] {
        exchange(server.address(), message);
        server.wait_for("Accept connection");
        assert_eq!(server.line(), format!("[*] Received: {printed}"));
    }
}

#[test]
fn at_most_1024_bytes_are_read_and_printed() {
    let mut server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"]);
    exchange(server.address(), &[b'x'; 5000]);
    let line = server.wait_for("Received: ");
    assert_eq!(line.len(), "[*] Received: ".len() + 1024);
}

#[test]
fn another_reply_byte_for_byte() {
    for reply in ["pong", "中文", "two\nlines\n", ""] {
        let server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0", "--reply", reply]);
        assert_eq!(exchange(server.address(), b"ping").0, reply);
    }
}

#[test]
fn quiet_prints_nothing_and_serves() {
    // A quiet server does not say where it listens. So this test chooses a port, and
    // holds it without listening on it.
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    reserved.set_reuse_address(true).unwrap();
    reserved.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = reserved.local_addr().unwrap().as_socket().unwrap();
    let mut command = quiet_command(TCP_SERVER);
    command.args(["-q", "--listen", &address.to_string()]);
    let server = Server::spawn(command, 0);
    let patience = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < patience, "it does not listen");
        std::thread::yield_now();
    }
    let (reply, _) = exchange(address, b"hello");
    assert_eq!(reply, "ACK!");
    assert_eq!(server.stop(), (Some(0), Vec::new()));
}

#[test]
fn timestamps_are_rfc_3339_in_utc_with_milliseconds() {
    let mut server = Server::start(TCP_SERVER, &["-D", "--listen", "127.0.0.1:0"]);
    exchange(server.address(), b"hello");
    let line = server.wait_for("Received");
    let (time, rest) = line.split_once(' ').unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    assert_eq!(rest, "[*] Received: hello");
}

#[test]
fn verbose_and_rust_log_print_more() {
    let verbose = Server::start(TCP_SERVER, &["-v", "--listen", "127.0.0.1:0"]);
    let mut command = quiet_command(TCP_SERVER);
    // RUST_LOG overrides the options.
    command.env("RUST_LOG", "debug").args(["-q", "--listen", "127.0.0.1:0"]);
    let by_environment = Server::spawn(command, 1);
    for mut server in [verbose, by_environment] {
        let (_, us) = exchange(server.address(), b"hello");
        server.wait_for("Received: hello");
        assert_eq!(server.line(), format!("[*] Answered: {us}"));
    }
}

#[test]
fn with_qq_a_failure_has_its_object_and_nothing_else_has() {
    let args = ["--listen", "127.0.0.1:0", "--json", "-qq", "--idle-exit", "100ms"];
    let ended = run(TCP_SERVER, &args);
    let failure = Event::as_documented(ended.stdout.trim_end(), "tcp-server");
    assert_eq!((failure.name(), failure.text("thing")), ("failure", "--idle-exit"));
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(1)));
    let as_text = run(TCP_SERVER, &[&args[..2], &args[3..]].concat());
    assert_eq!((&*as_text.stdout, &*as_text.stderr, as_text.status), ("", "", Some(1)));
}
