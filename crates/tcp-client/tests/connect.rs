//! `--connect`: the connection is the success, and nothing is sent.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{Event, run};
use socket2::SockRef;

use counterpart::{TCP_CLIENT, assert_failed, client, reserved, server};

#[test]
fn nothing_is_sent_and_a_success_prints_nothing() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let read_all = |mut stream: std::net::TcpStream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            all
        };
        let (address, served) = server(any, read_all);
        let ended = client(address, &["--connect"]);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
        assert_eq!((ended.status, served.join().unwrap()), (Some(0), Vec::new()));
    }
}

#[test]
fn a_failure_is_that_of_a_connection() {
    let (_held, address) = reserved();
    let refused = format!("{address}: refused (a reset came back)");
    assert_failed(&client(address, &["--connect"]), 1, &refused);
    let ended = client(address, &["--connect", "--expect", "refused"]);
    assert_eq!((ended.stdout, ended.status), (refused + "\n", Some(0)));
    // The program hangs: its system connects all the same.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(client(address, &["--connect"]).status, Some(0));
    let line = format!("{address}: ok, and not refused");
    assert_failed(&client(address, &["--connect", "--expect", "refused"]), 1, &line);
}

#[test]
fn json_has_the_time_to_connect_and_no_reply() {
    let (address, _served) = server("127.0.0.1:0", |_| {});
    let ended = client(address, &["--connect", "--json"]);
    let probe = Event::as_documented(&ended.stdout, "tcp-client");
    assert_eq!((probe.text("verdict"), ended.status), ("ok", Some(0)));
    assert!(probe.decimal("connect_ms") > 0.0);
    for field in ["reply", "bytes", "reply_ms", "complete", "cause", "reason"] {
        assert!(probe.is_null(field), "{field}: {}", ended.stdout);
    }
}

/// Accepts for ever, and greets.
fn greeter(greeting: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(greeting);
        }
    });
    address
}

#[test]
fn a_run_has_lines_and_the_times_to_connect() {
    let address = greeter(b"");
    let ended = client(address, &["--connect", "-c", "3", "-i", "10ms", "--flows", "2"]);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    let connected = format!("connected to {address}: probe=");
    let lines = ended.stdout.lines().filter(|line| line.starts_with(&connected));
    assert!(lines.clone().count() == 6 && lines.clone().all(|line| line.contains(" connect=")));
    assert!(!ended.stdout.contains("reply"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nconnect "), "{}", ended.stdout);
    let ended = client(address, &["--connect", "-c", "3", "-i", "0", "-qq", "--json"]);
    let summary = Event::as_documented(&ended.stdout, "tcp-client");
    let samples = |field| summary.object(field).number("samples");
    assert_eq!(["connect_ms", "total_ms", "from_due_ms"].map(samples), [3, 3, 3]);
    assert!(summary.is_null("reply_ms") && summary.number("ok") == 3);
}

#[test]
fn with_wait_a_connection_is_what_is_waited_for() {
    let address = greeter(b"");
    let ended = client(address, &["--connect", "--wait", "-w", "30s"]);
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_greeting_is_shown_with_v_and_waited_for_not_long() {
    let address = greeter(b"SSH-2.0-box\x1b[31m\r\n");
    let ended = client(address, &["--connect", "-v"]);
    let line = "[*] Greeting: SSH-2.0-box\\x1b[31m\n";
    assert!(ended.stderr.contains(line), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(0)));
    assert_eq!(client(address, &["--connect"]).stderr, "");
    // A server that says nothing, or resets at once: the connection has stood.
    let (silent, _served) = server("127.0.0.1:0", |mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let begun = Instant::now();
    let ended = client(silent, &["--connect", "-v"]);
    assert!(!ended.stderr.contains("Greeting") && ended.status == Some(0), "{ended:?}");
    assert!((450..4000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    for args in [&["--connect"][..], &["--connect", "-v"]] {
        let (resetting, _served) = server("127.0.0.1:0", |stream| {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        assert_eq!(client(resetting, args).status, Some(0));
    }
}

#[test]
fn what_goes_with_a_message_does_not_go_with_it() {
    for option in
        ["--message=x", "--size=9", "--half-close", "--expect-reply=x", "--expect-prefix=x"]
    {
        let ended = run(TCP_CLIENT, &["--connect", option]);
        let name = option.split('=').next().unwrap();
        let line = format!("tcp-client: --connect: cannot be used with {name}\n");
        assert_eq!((ended.stderr, ended.status), (line, Some(2)));
    }
    for verdict in ["no-reply", "wrong-reply", "reset"] {
        let ended = run(TCP_CLIENT, &["--connect", "--expect", verdict]);
        let why = "cannot come with --connect: no reply is asked for";
        let line = format!("tcp-client: --expect {verdict}: {why}\n");
        assert_eq!((ended.stderr, ended.status), (line, Some(2)));
    }
}
