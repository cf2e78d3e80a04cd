//! Runs without an end (`--count 0`), and how they end all the same.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, thread};

use common::testing::{Event, Finished, Running, quiet_command, run};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// A socket, and its address.
fn server() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

/// Answers so many datagrams.
fn answer(server: &UdpSocket, count: u32) {
    for _ in 0..count {
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        server.send_to(OK, peer).unwrap();
    }
}

/// Starts an endless run, has `meanwhile` done, and interrupts it by `signal`.
fn interrupted(args: &[&str], signal: Signal, meanwhile: impl FnOnce()) -> Finished {
    let client = Running::start(UDP_CLIENT, &[&["-c", "0"], args].concat());
    meanwhile();
    client.signal(signal);
    client.finish()
}

fn summary(ended: &Finished) -> Event {
    Event::as_documented(ended.stdout.lines().last().unwrap(), "udp-client")
}

#[test]
fn an_interrupt_is_the_end_of_an_endless_run_and_no_failure() {
    for (signal, interval) in
        [(Signal::SIGINT, "20ms"), (Signal::SIGTERM, "20ms"), (Signal::SIGINT, "0")]
    {
        let (server, address) = server();
        let args = [&*address, "-i", interval, "--json"];
        // In a closed loop a probe is always out, and is answered after the signal.
        let ended = interrupted(&args, signal, || {
            answer(&server, 5);
            thread::spawn(move || answer(&server, u32::MAX));
        });
        let summary = summary(&ended);
        assert!(summary.number("ok") >= 5, "{summary:?}");
        assert_eq!(summary.number("ok"), summary.number("sent"), "{summary:?}");
        assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    }
}

#[test]
fn what_has_no_reply_although_it_was_waited_for_is_no_success() {
    let (server, address) = server();
    let ended = interrupted(&[&address, "-i", "20ms"], Signal::SIGINT, || {
        answer(&server, 5);
        server.recv_from(&mut [0; 1024]).unwrap();
    });
    assert!(ended.stdout.contains(": 5 ok, "), "{ended:?}");
    assert!(ended.stderr.contains(" probes did not end ("), "{ended:?}");
    assert_eq!(ended.status, Some(1));
}

#[test]
fn if_silence_is_expected_what_is_out_at_the_end_counts_neither_way() {
    let (server, address) = server();
    let args = [&*address, "-i", "50ms", "-W", "120ms", "--expect", "no-reply", "--json"];
    let ended = interrupted(&args, Signal::SIGINT, || {
        for _ in 0..6 {
            server.recv_from(&mut [0; 1024]).unwrap();
        }
    });
    let summary = summary(&ended);
    let [sent, unfinished] = ["sent", "unfinished"].map(|field| summary.number(field));
    assert_eq!(summary.object("verdicts").number("no-reply"), sent - unfinished);
    assert!(sent >= 6 && unfinished < sent, "{summary:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_run_without_any_outcome_is_no_success() {
    let (server, address) = server();
    let args = [&*address, "--expect", "ok,no-reply"];
    let ended = interrupted(&args, Signal::SIGINT, || drop(server.recv_from(&mut [0; 1024])));
    let line = format!("udp-client: {address}: no probe has ended\n");
    assert_eq!((ended.stderr, ended.status), (line, Some(1)));
}

#[test]
fn a_deadline_ends_an_endless_run_of_several_flows() {
    let (server, address) = server();
    thread::spawn(move || answer(&server, u32::MAX));
    // Each flow sends one: the last one has 250 ms.
    let args = [&address, "-c", "0", "-w", "850ms", "-i", "900ms", "--flows", "3", "--json"];
    let ended = run(UDP_CLIENT, &args);
    let summary = summary(&ended);
    assert_eq!(["sent", "ok"].map(|field| summary.number(field)), [3, 3]);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn an_endless_run_ends_when_its_reader_has_gone_even_if_it_has_nothing_to_print() {
    for quiet in [&["-q"][..], &["-qq"], &["-i", "0"]] {
        let (server, address) = server();
        thread::spawn(move || answer(&server, u32::MAX));
        let args = [&*address, "-c", "0", "-i", "20ms"];
        let mut client = Running::start(UDP_CLIENT, &[&args[..], quiet].concat());
        client.hang_up();
        assert_eq!(client.end_unread(), Some(1), "{quiet:?}");
    }
}

/// The resident memory of a process, in KiB: proc(5).
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_long_run_takes_no_more_memory_than_a_short_one() {
    let (server, address) = server();
    let mut command = quiet_command("sh");
    command.args(["-c", r#"ulimit -n 200; exec "$0" "$@""#, UDP_CLIENT, &address]);
    command.args(["-c", "0", "-i", "0", "--flows", "8", "-W", "100ms", "--max-loss", "1"]);
    let client = Running::spawn(command, Stdio::null());
    let serve = |count, of| {
        for number in 0..count {
            let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
            // Some are lost, and some have two replies.
            let times = match number % of {
                1 => 0,
                2 => 2,
                _ => 1,
            };
            (0..times).for_each(|_| drop(server.send_to(OK, peer)));
        }
    };
    server.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // So many are lost that there are as many quiet ports as the limit allows, and no more can come.
    serve(10_000, 20);
    serve(10_000, 1000);
    let short = resident(client.id());
    serve(40_000, 1000);
    let long = resident(client.id());
    client.signal(Signal::SIGINT);
    let ended = client.finish();
    assert!(ended.stdout.contains(" sent in "), "{ended:?}");
    assert!(long < short + 256, "{short} KiB after 20,000 probes, {long} after 60,000");
}

#[test]
fn a_count_is_a_number() {
    for text in ["inf", "-1", "1e9", ""] {
        let ended = run(UDP_CLIENT, &[format!("--count={text}")]);
        let text = if text.is_empty() { "''" } else { text };
        let line = format!("udp-client: --count {text}: not a whole number (0: until Ctrl-C)\n");
        assert_eq!((ended.stderr, ended.status), (line, Some(2)));
    }
}
