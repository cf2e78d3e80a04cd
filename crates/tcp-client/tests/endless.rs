//! Runs without an end (`--count 0`), and how they end all the same.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use common::testing::{Event, Running};
use nix::sys::signal::Signal;

use counterpart::TCP_CLIENT;

/// Answers all connections. Returns its address, and what says that one more was answered.
fn server() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, served) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The client may have ended meanwhile.
            let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(b"ACK!"));
            let _ = sender.send(());
        }
    });
    (address, served)
}

#[test]
fn an_interrupt_is_the_end_of_an_endless_run_and_no_failure() {
    for interval in ["20ms", "0"] {
        let (address, served) = server();
        let args = [&*address, "-c", "0", "-i", interval, "--json"];
        let client = Running::start(TCP_CLIENT, &args);
        assert_eq!(served.iter().take(5).count(), 5);
        client.signal(Signal::SIGINT);
        let ended = client.finish();
        let summary = Event::as_documented(ended.stdout.lines().last().unwrap(), "tcp-client");
        assert!(summary.number("ok") >= 5, "{summary:?}");
        assert_eq!(summary.number("ok"), summary.number("sent"), "{summary:?}");
        assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    }
}

#[test]
fn an_endless_run_ends_when_its_reader_has_gone_even_if_it_has_nothing_to_print() {
    let (address, _served) = server();
    let args = [&*address, "-c", "0", "-i", "20ms", "-q"];
    let mut client = Running::start(TCP_CLIENT, &args);
    client.hang_up();
    assert_eq!(client.end_unread(), Some(1));
}
