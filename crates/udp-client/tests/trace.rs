//! `--trace` over the loopback interface, where everything is one hop away. `scripts/netlab` has
//! routers.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{Event, Running, run};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

/// An address where nobody listens.
fn closed() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that answers all datagrams but the first `silent` ones.
fn server(silent: usize) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        for number in 0.. {
            let (_, peer) = socket.recv_from(&mut [0; 1024]).unwrap();
            if number >= silent {
                socket.send_to(b"ok", peer).unwrap();
            }
        }
    });
    address
}

/// Runs one exchange, or a run, with `--json`.
fn events(address: SocketAddr, args: &[&str]) -> Vec<Event> {
    let ended = run(UDP_CLIENT, &[&[address.to_string().as_str(), "-J"], args].concat());
    ended.stdout.lines().map(|line| Event::as_documented(line, "udp-client")).collect()
}

#[test]
fn a_refused_probe_shows_its_way_and_the_failure_says_where_it_ends() {
    let address = closed().to_string();
    let ended = run(UDP_CLIENT, &[&address, "-m", "x", "--trace"]);
    let lines: Vec<_> = ended.stderr.lines().collect();
    let says = format!(
        "udp-client: {address}: refused (port unreachable, says 127.0.0.1; \
         the way there is open: the target answered at hop 1)"
    );
    assert_eq!((ended.status, ended.stdout.as_str(), lines.len()), (Some(1), "", 3), "{ended:?}");
    let way = format!("udp-client: {address}: the way from 127.0.0.1:");
    assert!(lines[0].starts_with(&way) && lines[0].ends_with(&format!(" to {address}")));
    assert!(lines[1].starts_with("  1  127.0.0.1  ") && lines[1].ends_with(" ms"), "{lines:?}");
    assert_eq!(lines[2], says);

    let quiet = run(UDP_CLIENT, &[&address, "-m", "x", "--trace", "-q"]);
    assert_eq!(quiet.stderr, says + "\n");
    let silent = run(UDP_CLIENT, &[&address, "-m", "x", "--trace", "-qq"]);
    assert_eq!((silent.stderr.as_str(), silent.stdout.as_str()), ("", ""));
}

#[test]
fn the_object_has_the_way_and_it_begins_at_the_port_of_the_probe() {
    let events = events(closed(), &["-m", "x", "--trace=failure"]);
    let (probe, trace) = (&events[0], events[0].object("trace"));
    assert_eq!((probe.text("verdict"), trace.text("end")), ("refused", "reached"));
    assert_eq!((trace.number("last_hop"), trace.text("last_router")), (1, "127.0.0.1"));
    assert_eq!(trace.text("local"), probe.text("local"));
    let hops = trace.list("hops");
    assert_eq!((hops.len(), hops[0].number("hop"), hops[0].text("router")), (1, 1, "127.0.0.1"));
    assert!(hops[0].decimal("ms") < 1000.0 && trace.is_null("reason"));
}

#[test]
fn an_expected_outcome_is_traced_only_if_that_is_asked_for() {
    let (open, closed) = (server(0), closed());
    assert!(events(open, &["-m", "x", "--trace"])[0].is_null("trace"));
    assert!(events(closed, &["-m", "x", "--trace", "--expect", "refused"])[0].is_null("trace"));
    assert!(events(closed, &["-m", "x"])[0].is_null("trace"));
    let ended = run(UDP_CLIENT, &[&open.to_string(), "-m", "x", "--trace=always"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "ok\n"));
    assert_eq!(ended.stderr.lines().count(), 2, "{ended:?}");
    let always = &events(open, &["-m", "x", "--trace=always"])[0];
    assert_eq!(always.object("trace").text("end"), "reached");
    let unresolved = &events(closed, &["-m", "x", "-s", "192.0.2.1", "--trace=always"])[0];
    assert_eq!((unresolved.text("verdict"), unresolved.is_null("trace")), ("local", true));
}

#[test]
fn the_deadline_bounds_the_trace_and_does_not_make_an_outcome_unproved() {
    let silent = server(usize::MAX);
    let begun = Instant::now();
    let args = ["-m", "x", "-W", "200ms", "-w", "1200ms", "--trace=always", "--expect", "no-reply"];
    let ended = run(UDP_CLIENT, &[&[silent.to_string().as_str(), "-J"], &args[..]].concat());
    assert!((1200..3000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    let trace = Event::as_documented(&ended.stdout, "udp-client").object("trace");
    assert_eq!((trace.text("end"), trace.is_null("last_hop")), ("out-of-time", true));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "the whole timeout was over");
}

#[test]
fn a_signal_ends_a_trace_at_once() {
    let silent = server(usize::MAX).to_string();
    let client = Running::start(UDP_CLIENT, &[&silent, "-m", "x", "-W", "100ms", "--trace"]);
    let begun = Instant::now();
    // Whether the trace has begun or not, the end is the same.
    thread::sleep(Duration::from_millis(400));
    client.signal(Signal::SIGTERM);
    let ended = client.finish();
    assert_eq!((ended.status, ended.stderr.as_str()), (None, ""));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn in_a_run_the_first_failure_is_traced_and_the_answers_are_nobodys() {
    // The first probe is lost. The trace is answered, and so are the other probes.
    let args = ["-c", "5", "-i", "50ms", "-W", "200ms", "--trace"];
    for more in [&[][..], &["--flows", "2"]] {
        let events = events(server(1), &[&args, more].concat());
        let summary = events.last().unwrap();
        let traces: Vec<_> = events.iter().filter(|event| event.name() == "trace").collect();
        assert_eq!(traces.len(), 1);
        let mut probes = events.iter().filter(|event| event.name() == "probe");
        let probe = probes.find(|probe| probe.text("verdict") == "no-reply").unwrap();
        assert_eq!(traces[0].number("number"), probe.number("number"));
        assert_eq!(traces[0].text("local"), probe.text("local"));
        assert_eq!(traces[0].object("trace").text("end"), "reached");
        let count = |field| summary.number(field);
        assert_eq!((count("lost"), count("late"), count("duplicate")), (1, 0, 0), "{summary:?}");
        assert_eq!(count("ok") + 1, count("sent"));
    }
}

#[test]
fn the_only_port_of_a_flow_is_not_used_while_it_is_traced() {
    let own = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let port = ["--source-port", own.as_str()];
    let args = ["-c", "4", "-i", "100ms", "-W", "300ms", "--trace"];
    let events = events(server(1), &[&args[..], &port].concat());
    let summary = events.last().unwrap();
    let count = |field| summary.number(field);
    assert_eq!((count("ok"), count("lost"), count("late"), count("duplicate")), (3, 1, 0, 0));
    assert_eq!(count("held"), 3, "{summary:?}");
    let trace = events.iter().find(|event| event.name() == "trace").unwrap();
    assert_eq!(trace.text("local"), format!("127.0.0.1:{own}"));
}

#[test]
fn with_wait_the_last_attempt_is_traced_before_the_deadline() {
    let closed = closed();
    let begun = Instant::now();
    let events = events(closed, &["-m", "x", "--wait", "-w", "1s", "--trace"]);
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert_eq!(events[0].object("trace").text("end"), "reached");
}
