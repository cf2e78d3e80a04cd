//! What the server prints; and datagrams of every length.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;

use common::testing::{Event, PATIENCE, Server, quiet_command, run};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

fn start() -> Server {
    Server::start(UDP_SERVER, &["--listen", "127.0.0.1:0"])
}

/// A client that hears only `server`.
fn client(server: &Server) -> UdpSocket {
    let address = server.address();
    let any = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn exchange(client: &UdpSocket, datagram: &[u8]) -> Vec<u8> {
    client.send(datagram).unwrap();
    let mut reply = vec![0; 65536];
    let len = client.recv(&mut reply).unwrap();
    reply.truncate(len);
    reply
}

#[test]
fn the_tutorials_lines() {
    let mut server = start();
    let client = client(&server);
    let us = client.local_addr().unwrap();
    assert_eq!(server.line(), "[*] Waiting for message...");
    for datagram in ["hello", "中文"] {
        assert_eq!(exchange(&client, datagram.as_bytes()), b"Recvice message ok!");
        assert_eq!(server.line(), format!("[*] Received from: {us}"));
        assert_eq!(server.line(), datagram);
        assert_eq!(server.line(), "[*] Waiting for message...");
    }
    let (status, rest) = server.stop();
    assert_eq!(rest, ["[*] Stopped: 2 datagrams, 2 exchanges, 11 bytes in, 38 out"]);
    assert_eq!(status, Some(0));
}

#[test]
fn what_a_peer_sends_is_printed_safely() {
    let mut server = start();
    let client = client(&server);
    for (datagram, printed) in [
        (&b""[..], ""),
        (b"one\n[*] Received from: forged", r"one\n[*] Received from: forged"),
        (b"\x1b[2J\xff\\", r"\x1b[2J\xff\\"),
    ] {
        exchange(&client, datagram);
        server.wait_for("Received from");
        assert_eq!(server.line(), printed);
    }
}

#[test]
fn a_datagram_cannot_look_like_a_line_of_ours() {
    let mut server = start();
    let client = client(&server);
    for (datagram, printed) in [
        ("[*] Received from: 10.0.0.9:5353", r"\x5b*] Received from: 10.0.0.9:5353"),
        ("  [!] Lost: 10.0.0.9:5353", r"  \x5b!] Lost: 10.0.0.9:5353"),
        ("2026-01-01T00:00:00.000Z [*] Stopped", r"\x32026-01-01T00:00:00.000Z [*] Stopped"),
        ("udp-server: --count 3: 0 exchanges", r"\x75dp-server: --count 3: 0 exchanges"),
        ("x (1500 bytes, the first 1024 shown)", r"x (1500 bytes, the first 1024 shown\x29"),
        ("2026-01-01 [*] (shown)", "2026-01-01 [*] (shown)"),
    ] {
        exchange(&client, datagram.as_bytes());
        server.wait_for("[*] Received from: 127.0.0.1");
        assert_eq!(server.line(), printed);
    }
    drop(server);
    // With timestamps, each line of ours has one, and then the same beginning.
    let mut server = Server::start(UDP_SERVER, &["-D", "--listen", "127.0.0.1:0"]);
    exchange(&self::client(&server), b"[*] Stopped: 0 datagrams");
    server.wait_for("[*] Received from: ");
    assert!(server.line().ends_with(r"Z \x5b*] Stopped: 0 datagrams"));
    drop(server);
    // In JSON a message is a value, and needs no more than to be safe.
    let mut server = Server::start(UDP_SERVER, &["--json", "--listen", "127.0.0.1:0"]);
    for text in ["[*] Stopped", "x (1500 bytes, the first 1024 shown)"] {
        exchange(&self::client(&server), text.as_bytes());
        assert_eq!(server.wait_for_event("received").text("message"), text);
    }
}

#[test]
fn a_long_datagram_is_answered_and_its_first_1024_bytes_are_shown() {
    let mut server = start();
    let client = client(&server);
    for len in [1023, 1024, 1025, 2048, 65_507] {
        assert_eq!(exchange(&client, &vec![b'x'; len]), b"Recvice message ok!");
        server.wait_for("Received from");
        let line = server.line();
        let (data, note) = line.split_at(len.min(1024));
        assert!(data.bytes().all(|b| b == b'x'));
        let expected = if len > 1024 {
            format!(" ({len} bytes, the first 1024 shown)")
        } else {
            String::new()
        };
        assert_eq!(note, expected);
    }
}

#[test]
fn every_length_is_answered() {
    let server = start();
    let client = client(&server);
    for len in 0..=2048 {
        assert_eq!(exchange(&client, &vec![b'x'; len]), b"Recvice message ok!", "{len}");
    }
}

#[test]
fn waiting_is_printed_once_however_often_the_loop_is_woken() {
    use nix::sys::signal::Signal;
    let mut server = start();
    assert_eq!(server.line(), "[*] Waiting for message...");
    for _ in 0..20 {
        server.signal(Signal::SIGSTOP);
        server.signal(Signal::SIGCONT);
    }
    exchange(&client(&server), b"hello");
    assert!(server.line().starts_with("[*] Received from: "));
}

#[test]
fn waiting_is_not_printed_while_datagrams_are_left() {
    use nix::sys::signal::Signal;
    let mut server = start();
    assert_eq!(server.line(), "[*] Waiting for message...");
    let client = client(&server);
    // Stop the server, so that it finds them all at once: more than its share of a turn.
    server.signal(Signal::SIGSTOP);
    for _ in 0..100 {
        client.send(b"x").unwrap();
    }
    server.signal(Signal::SIGCONT);
    for n in 0..100 {
        assert!(server.line().starts_with("[*] Received from: "), "{n}");
        assert_eq!(server.line(), "x");
    }
    assert_eq!(server.line(), "[*] Waiting for message...");
}

#[test]
fn another_reply_byte_for_byte() {
    for reply in ["pong", "中文", ""] {
        let server = Server::start(UDP_SERVER, &["--listen", "127.0.0.1:0", "--reply", reply]);
        assert_eq!(exchange(&client(&server), b"ping"), reply.as_bytes());
    }
}

#[test]
fn both_lines_of_a_datagram_are_stamped() {
    let mut server = Server::start(UDP_SERVER, &["-D", "--listen", "127.0.0.1:0"]);
    exchange(&client(&server), b"hello");
    for text in ["Received from: 127.0.0.1:", "hello"] {
        let line = server.wait_for(text);
        let (time, _) = line.split_once(' ').unwrap();
        let shape: String =
            time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    }
}

#[test]
fn verbose_and_rust_log_print_more() {
    let verbose = Server::start(UDP_SERVER, &["-v", "--listen", "127.0.0.1:0"]);
    let mut command = quiet_command(UDP_SERVER);
    command.env("RUST_LOG", "debug").args(["-q", "--listen", "127.0.0.1:0"]);
    for mut server in [verbose, Server::spawn(command, 1)] {
        let client = client(&server);
        exchange(&client, b"hello");
        let line = server.wait_for("Answered");
        assert_eq!(line, format!("[*] Answered: {}", client.local_addr().unwrap()));
    }
}

#[test]
fn with_qq_a_failure_has_its_object_and_nothing_else_has() {
    let args = ["--listen", "127.0.0.1:0", "--json", "-qq", "--idle-exit", "100ms"];
    let ended = run(UDP_SERVER, &args);
    let failure = Event::as_documented(ended.stdout.trim_end(), "udp-server");
    assert_eq!((failure.name(), failure.text("thing")), ("failure", "--idle-exit"));
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(1)));
    let as_text = run(UDP_SERVER, &[&args[..2], &args[3..]].concat());
    assert_eq!((&*as_text.stdout, &*as_text.stderr, as_text.status), ("", "", Some(1)));
}
