//! What signals do to an exchange, and to a run.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::testing::{Event, Running, contained};
use nix::sys::signal::Signal;

use counterpart::TCP_CLIENT;

/// A listener, and its address.
fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// What a client says that is stopped until its time is up. The server replies meanwhile: at
/// once, or only at the end if `is_late`.
fn stopped(is_late: bool) -> Event {
    let (listener, address) = server();
    let client = Running::start(TCP_CLIENT, &[&address, "-W", "300ms", "--json"]);
    let (mut stream, _) = listener.accept().unwrap();
    assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
    client.stop();
    if !is_late {
        stream.write_all(b"ACK!").unwrap();
    }
    thread::sleep(Duration::from_millis(400));
    if is_late {
        stream.write_all(b"ACK!").unwrap();
    }
    client.go_on();
    Event::as_documented(&client.finish().stdout, "tcp-client")
}

#[test]
fn a_reply_is_in_time_if_it_came_in_time_however_late_it_is_read() {
    let in_time = stopped(false);
    assert_eq!(in_time.text("verdict"), "ok");
    assert!(in_time.decimal("reply_ms") < 300.0, "{in_time:?}");
    assert!(in_time.decimal("host_ms") >= 400.0, "it lay here until it was read: {in_time:?}");
    let late = stopped(true);
    assert_eq!(late.text("verdict"), "no-reply");
    assert!(late.is_null("host_ms") && late.is_null("reply_ms"), "{late:?}");
    assert_eq!(late.text("reason"), "connected, and then nothing within 300ms");
}

#[test]
fn an_interrupt_ends_a_run_with_its_summary_and_what_is_open_is_no_success() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (listener, address) = server();
        let client = Running::start(TCP_CLIENT, &[&address, "-c", "1000", "-i", "0"]);
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stream.write_all(b"ACK!").unwrap();
        }
        let (mut stream, _) = listener.accept().unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
        client.signal(signal);
        let ended = client.finish();
        assert!(ended.stdout.contains(": 3 ok, 1 unfinished, 0.0 % lost\n"), "{ended:?}");
        let failure = format!("tcp-client: {address}: 1 of 4 probes did not end (25.0 %)\n");
        assert_eq!((ended.stderr, ended.status), (failure, Some(1)));
    }
}

#[test]
fn a_reply_that_has_come_counts_although_more_of_it_might_have_come() {
    let (listener, address) = server();
    let client = Running::start(TCP_CLIENT, &[&address, "-c", "1000", "-i", "0"]);
    let (mut stream, _) = listener.accept().unwrap();
    assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
    // The reply and the signal come at once.
    client.stop();
    stream.write_all(b"ACK!").unwrap();
    client.signal(Signal::SIGINT);
    client.go_on();
    let ended = client.finish();
    assert!(ended.stdout.contains(": 1 ok, 0.0 % lost\n"), "{ended:?}");
}

#[test]
fn an_interrupt_ends_a_single_exchange_at_once() {
    let (listener, address) = server();
    let client = Running::start(TCP_CLIENT, &[&address]);
    let (_stream, _) = listener.accept().unwrap();
    client.signal(Signal::SIGINT);
    assert_eq!(client.finish().status, None, "ended by the signal");
}

#[test]
fn an_interrupt_ends_a_run_that_could_not_begin_and_that_nobody_reads() {
    let (_listener, address) = server();
    // A pipe holds 64 KiB: pipe(7).
    let script = r#"head -c 65536 /dev/zero; ulimit -n 8; exec "$@""#;
    let args = ["-c", script, "sh", TCP_CLIENT, &address, "-c", "3", "--json"];
    let mut client = Running::start("sh", &args);
    assert!(client.first_line().starts_with("tcp-client: descriptors: "));
    client.signal(Signal::SIGTERM);
    assert_eq!(client.end_unread(), None, "ended by the signal");
}

#[test]
fn the_first_process_of_a_container_ends_by_signals_too() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        for args in [&[][..], &["--wait"]] {
            let (listener, address) = server();
            let Some(mut command) = contained(TCP_CLIENT) else {
                return;
            };
            command.arg(&address).args(args);
            let client = Running::spawn(command, Stdio::null());
            let (_stream, _) = listener.accept().unwrap();
            client.signal_child(signal);
            assert_eq!(client.finish().status, Some(status), "{args:?}");
        }
    }
}
