//! Runs of probes (`--count`): what the ledger says, in words and in JSON.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::thread;

use common::testing::{Event, documented, run};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// Answers each of the datagrams, which are counted from 1, as often as `times`
/// says; so long as the process is there.
fn server(times: impl Fn(u32) -> u32 + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        for number in 1.. {
            let (_, peer) = socket.recv_from(&mut [0; 1024]).unwrap();
            for _ in 0..times(number) {
                socket.send_to(OK, peer).unwrap();
            }
        }
    });
    address
}

/// Runs probes with `--json`: the exit status, and the events, which are as
/// documented.
fn probes(address: SocketAddr, args: &[&str]) -> (Option<i32>, Vec<Event>) {
    let ended = run(UDP_CLIENT, &[&[address.to_string().as_str(), "--json"], args].concat());
    let events: Vec<_> = ended.stdout.lines().map(Event::parse).collect();
    let documented = documented("udp-client");
    for event in &events {
        assert_eq!(Some(&event.fields()), documented.get(event.name()), "{event:?}");
    }
    (ended.status, events)
}

#[test]
fn what_is_lost_is_counted_and_its_port_is_left() {
    let address = server(|number| u32::from(number != 2));
    let args = ["-c", "4", "-i", "20ms", "-W", "200ms"];
    let (status, events) = probes(address, &args);
    let summary = events.last().unwrap();
    assert_eq!((status, summary.name()), (Some(1), "summary"));
    let counts = ["sent", "ok", "lost", "late", "unfinished"].map(|field| summary.number(field));
    assert_eq!(counts, [4, 3, 1, 0, 0]);
    let port = |number: u64| {
        let mut probes = events.iter().filter(|event| event.name() == "probe");
        probes.find(|probe| probe.number("number") == number).unwrap().text("local").to_owned()
    };
    assert_eq!(port(3), port(4), "one that answers is kept");
    assert_ne!(port(2), port(3), "one that lost its reply is left");
    let address = server(|number| u32::from(number != 2));
    let (status, _) = probes(address, &[&args[..], &["--max-loss", "25"]].concat());
    assert_eq!(status, Some(0));
}

#[test]
fn a_second_reply_is_a_duplicate_and_no_other_probes() {
    let address = server(|_| 2);
    let (status, events) = probes(address, &["-c", "3", "-i", "20ms"]);
    let summary = events.last().unwrap();
    assert_eq!((status, summary.number("ok")), (Some(0), 3));
    let strays = events.iter().filter(|event| event.name() == "stray");
    let strays: Vec<_> = strays.map(|stray| stray.text("kind")).collect();
    // That of the last probe may come when all is over.
    assert!(matches!(strays[..], ["duplicate", "duplicate", ..]), "{events:?}");
    assert_eq!(summary.number("duplicate"), strays.len() as u64);
}

#[test]
fn a_summary_in_words() {
    let address = server(|_| 1);
    let ended = run(UDP_CLIENT, &[&address.to_string(), "-c", "40", "-i", "0", "--flows", "4"]);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], format!("--- {address}"));
    assert!(lines[1].starts_with("160 sent in "), "{lines:?}");
    assert!(lines[1].ends_with(": 160 ok, 0.0 % lost"), "{lines:?}");
    // A percentile that 160 samples cannot carry is not there.
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["ms", "min", "mean", "p50", "p90", "p99", "max", "samples"]
    );
    assert!(lines.iter().all(|line| line.len() <= 80), "{lines:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn options_of_a_run_need_a_run() {
    for option in [&["-i", "1s"][..], &["--flows", "2"], &["--max-loss", "1"], &["--histogram"]] {
        let ended = run(UDP_CLIENT, &[&["127.0.0.1", "-m", "x"], option].concat());
        assert!(ended.stderr.ends_with(": only with --count\n"), "{}", ended.stderr);
        assert_eq!(ended.status, Some(2));
    }
}
