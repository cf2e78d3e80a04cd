//! Runs of probes (`--count`): what the ledger says, in words and in JSON.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use common::testing::{Event, quiet_command, run, run_command};
use nix::libc;
use socket2::SockRef;

use counterpart::{TCP_CLIENT, reserved};

/// With this flag the reply shares a segment with the FIN, so the server closes first.
#[cfg(target_os = "linux")]
const LAST: libc::c_int = libc::MSG_MORE;
#[cfg(not(target_os = "linux"))]
const LAST: libc::c_int = 0;

/// Serves connections, which are counted from 1. If `is_answered`, a connection is answered
/// and closed; otherwise it stays open until the test's process ends.
fn server(is_answered: impl Fn(u32) -> bool + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for number in 1.. {
            let (mut stream, _) = listener.accept().unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            if is_answered(number) {
                SockRef::from(&stream).send_with_flags(b"ACK!", LAST).unwrap();
            } else {
                silent.push(stream);
            }
        }
    });
    address
}

/// Runs probes with `--json`. Returns the exit status, the probes in the order of their
/// numbers, and the summary, which is printed last. All objects must be as documented.
fn probes(address: SocketAddr, args: &[&str]) -> (Option<i32>, Vec<Event>, Event) {
    let ended = run(TCP_CLIENT, &[&[address.to_string().as_str(), "--json"], args].concat());
    let event = |line| Event::as_documented(line, "tcp-client");
    let mut events: Vec<_> = ended.stdout.lines().map(event).collect();
    let summary = events.pop().unwrap();
    assert_eq!(summary.name(), "summary");
    assert!(events.iter().all(|event| event.name() == "probe"), "{events:?}");
    events.sort_by_key(|probe| probe.number("number"));
    (ended.status, events, summary)
}

/// How many samples there are of each kind of time.
fn samples(summary: &Event) -> [u64; 4] {
    ["connect_ms", "reply_ms", "total_ms", "from_due_ms"].map(|field| {
        let times = summary.object(field);
        let fields = ["max", "mean", "min", "p50", "p90", "p99", "p99_9", "samples"];
        assert!(times.fields().iter().eq(&fields), "{times:?}");
        times.number("samples")
    })
}

#[test]
fn json_has_each_probe_and_a_summary() {
    let address = server(|_| true);
    let (status, probes, summary) = probes(address, &["-c", "4", "-i", "20ms"]);
    assert_eq!(status, Some(0));
    let numbers: Vec<_> = probes.iter().map(|probe| probe.number("number")).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    for probe in &probes {
        assert_eq!((probe.text("verdict"), probe.text("reply")), ("ok", "ACK!"));
        assert_eq!(probe.text("address"), address.to_string());
        assert!(probe.decimal("connect_ms") > 0.0 && probe.decimal("reply_ms") > 0.0);
    }
    let counts = ["sent", "ok", "lost", "late", "unfinished", "failed", "duplicate", "foreign"]
        .map(|field| summary.number(field));
    assert_eq!(counts, [4, 4, 0, 0, 0, 0, 0, 0]);
    assert!(summary.decimal("loss_percent") == 0.0, "{summary:?}");
    assert_eq!(summary.object("verdicts").number("ok"), 4);
    assert_eq!(samples(&summary), [4; 4]);
    let (connect, reply) = (summary.object("connect_ms"), summary.object("reply_ms"));
    assert!(summary.object("total_ms").decimal("min") >= connect.decimal("min"));
    assert!(summary.object("total_ms").decimal("max") >= reply.decimal("max"));
}

#[test]
fn silence_is_a_failure_unless_so_many_may_fail() {
    let args = ["-c", "4", "-i", "20ms", "-W", "1s"];
    let (status, probes, summary) = probes_of_one_silence(&args);
    assert_eq!(status, Some(1));
    let verdicts: Vec<_> = probes.iter().map(|probe| probe.text("verdict")).collect();
    assert_eq!(verdicts, ["ok", "no-reply", "ok", "ok"]);
    let counts = ["sent", "ok", "lost", "unfinished", "failed"].map(|field| summary.number(field));
    assert_eq!(counts, [4, 3, 1, 0, 1]);
    let verdicts = summary.object("verdicts");
    assert_eq!(["ok", "no-reply", "refused"].map(|verdict| verdicts.number(verdict)), [3, 1, 0]);
    assert!(summary.decimal("loss_percent") == 25.0, "{summary:?}");
    // The second probe has a time to connect and no others.
    assert_eq!(samples(&summary), [4, 3, 3, 3]);

    let (status, ..) = probes_of_one_silence(&[&args[..], &["--max-loss", "25"]].concat());
    assert_eq!(status, Some(0));
}

/// Runs probes to a server that does not answer the second connection.
fn probes_of_one_silence(args: &[&str]) -> (Option<i32>, Vec<Event>, Event) {
    probes(server(|number| number != 2), args)
}

#[test]
fn refusals_are_failures_unless_they_are_expected() {
    let (_held, address) = reserved();
    let target = address.to_string();
    let args = [target.as_str(), "-c", "3", "-i", "20ms"];
    let ended = run(TCP_CLIENT, &args);
    let failure = format!("tcp-client: {address}: 3 of 3 probes failed (100.0 %)\n");
    assert_eq!((ended.stderr, ended.status), (failure, Some(1)));
    // A busy machine has remarks after it.
    let counts = ": 0 ok, 3 refused, 0.0 % lost, 100.0 % failed\n";
    assert!(ended.stdout.contains(counts), "{}", ended.stdout);

    let ended = run(TCP_CLIENT, &[&args[..], &["--expect", "refused"]].concat());
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    let counts = ended.stdout.lines().find(|line| line.starts_with("3 sent in ")).unwrap();
    assert!(counts.ends_with(": 3 refused, 0.0 % not as expected"), "{counts}");
}

#[test]
fn flows_are_reported_by_their_ports() {
    let args = ["--flows", "4", "-c", "5", "-i", "0"];
    let (status, probes, summary) = probes(server(|_| true), &args);
    assert_eq!((status, summary.number("sent"), summary.number("ok")), (Some(0), 20, 20));
    assert!(probes.is_empty(), "in a closed loop no probe has a line of its own");
    let flows = summary.list("flows");
    let sum = |field| flows.iter().map(|flow| flow.number(field)).sum::<u64>();
    assert_eq!((sum("sent"), sum("failed")), (20, 0));
    // The server ends first, so a port is free again as soon as its connection is closed. On a busy
    // machine the client may close before it: then the flow leaves its port.
    assert_eq!(flows.len() as u64, 4 + summary.number("left_port"), "{flows:?}");
}

#[test]
fn a_summary_in_words() {
    let address = server(|_| true);
    let ended = run(TCP_CLIENT, &[&address.to_string(), "-c", "250", "-i", "0", "--flows", "4"]);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], format!("--- {address}"));
    assert!(lines[1].starts_with("1000 sent in "), "{lines:?}");
    assert!(lines[1].ends_with(": 1000 ok, 0.0 % lost"), "{lines:?}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        words(lines[2]),
        ["ms", "min", "mean", "p50", "p90", "p99", "p99.9", "max", "samples"]
    );
    for (line, name) in lines[3..].iter().zip(["connect", "reply"]) {
        let row = words(line);
        // A probe that a busy machine sent late has no such times.
        assert_eq!((row.len(), row[0].as_str()), (9, name), "{lines:?}");
    }
    assert!(lines.len() >= 5 && lines.iter().all(|line| line.len() <= 80), "{lines:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));

    // For a name, the heading has the address and the time to resolve the name.
    let target = format!("localhost:{}", address.port());
    let ended = run(TCP_CLIENT, &["-4", &target, "-c", "1", "-q"]);
    let heading = format!("--- {target} (127.0.0.1), resolved in ");
    assert!(ended.stdout.starts_with(&heading), "{}", ended.stdout);
}

#[test]
fn a_line_for_each_probe() {
    let address = server(|_| true);
    let target = address.to_string();
    let args = [target.as_str(), "-c", "2", "-i", "20ms"];
    let ended = run(TCP_CLIENT, &args);
    let (lines, _) = ended.stdout.split_once("--- ").unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for number in 1..=2 {
        let begin = format!("4 bytes from {address}: probe={number} ");
        let rest = lines.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
        let words: Vec<_> = rest.split(' ').collect();
        let is_time = |word: &str, name| {
            let time = word.strip_prefix(name).and_then(|time| time.parse::<f64>().ok());
            time.is_some_and(|time| time > 0.0)
        };
        // The delay may follow.
        let [connect, "ms", reply, "ms", ..] = words[..] else { unreachable!("{rest}") };
        assert!(is_time(connect, "connect=") && is_time(reply, "reply="), "{rest}");
    }
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));

    let ended = run(TCP_CLIENT, &[&args[..], &["-q"]].concat());
    assert!(ended.stdout.starts_with("--- "), "{}", ended.stdout);
}

#[test]
fn a_histogram_fits_80_columns_and_has_all_replies() {
    let address = server(|_| true);
    let ended = run(TCP_CLIENT, &[&address.to_string(), "-c", "40", "-i", "0", "--histogram"]);
    assert!(ended.stdout.lines().all(|line| line.len() <= 80), "{}", ended.stdout);
    let bars = ended.stdout.lines().filter(|line| line.contains(" ms"));
    let count = |bar: &str| {
        let (_, rest) = bar.split_once(" ms").unwrap();
        let rest: Vec<_> = rest.trim_start_matches('+').split_whitespace().collect();
        let count: usize = rest[0].parse().unwrap();
        let is_drawn = rest.get(1).is_some_and(|bar| bar.chars().all(|c| c == '#'));
        assert_eq!(is_drawn, count > 0, "{bar}");
        count
    };
    assert_eq!(bars.map(count).sum::<usize>(), 40, "{}", ended.stdout);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn a_deadline_ends_a_run_and_the_probes_that_ended_count() {
    let target = server(|_| true).to_string();
    let ended = run(TCP_CLIENT, &[&target, "-q", "-c", "1000", "-i", "1h", "-w", "1s"]);
    let counts = ended.stdout.lines().nth(1).unwrap();
    assert!(counts.starts_with("1 sent in "), "{counts}");
    assert!(counts.ends_with(": 1 ok, 0.0 % lost"), "{counts}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_run_in_which_no_probe_ended_is_no_success() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ended = run(TCP_CLIENT, &[&address.to_string(), "-c", "1", "-w", "100ms", "-W", "10s"]);
    let line = format!("tcp-client: {address}: no probe has ended\n");
    assert_eq!((ended.stderr, ended.status), (line, Some(1)));
}

#[test]
fn options_of_a_run_need_a_run() {
    for option in [
        &["-i", "1s"][..],
        &["--flows", "2"],
        &["--max-loss", "1"],
        &["--histogram"],
        &["--every", "1s"],
        &["--prometheus", "x"],
        &["--resolve-every", "0"],
    ] {
        let ended = run(TCP_CLIENT, &[&["127.0.0.1"], option].concat());
        assert!(ended.stderr.ends_with(": only with --count\n"), "{}", ended.stderr);
        assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(2)));
    }
}

#[test]
fn flows_that_have_no_port_are_told_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let args = [&target, "-c", "1", "-i", "1ms", "--source-port", "65534", "--flows", "3"];
    let ended = run(TCP_CLIENT, &args);
    let why = "the last of 3 flows would send from 65536, above 65535";
    assert_eq!(ended.stderr, format!("tcp-client: --source-port 65534: {why}\n"));
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(2)));
    assert!(listener.accept().is_err(), "nobody came");
    let two_fit = run(TCP_CLIENT, &[&args[..8], &["2", "-qq", "-W", "50ms"]].concat());
    assert_ne!(two_fit.status, Some(2), "{two_fit:?}");
}

#[test]
fn with_few_descriptors_probes_are_sent_later() {
    let address = server(|_| true).to_string();
    let mut limited = quiet_command("sh");
    limited.args(["-c", r#"ulimit -n 40; exec "$0" "$@""#, TCP_CLIENT, &address]);
    limited.args(["-c", "2", "-i", "1ms", "--flows", "60"]);
    let ended = run_command(limited, b"");
    assert!(ended.stdout.contains(": 120 ok, 0.0 % lost\n"), "{ended:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn in_a_closed_loop_no_probe_waits_for_the_end_of_the_reply_before() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let open = listener.incoming().map(|stream| {
            let mut stream = stream.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stream.write_all(b"ACK!").unwrap();
            stream
        });
        // No connection is closed before the test's process ends.
        let _open: Vec<_> = open.collect();
    });
    let (status, _, summary) = probes(address, &["-c", "50", "-i", "0"]);
    assert_eq!((status, summary.number("ok")), (Some(0), 50));
    // If each had waited, it would have taken 5 s.
    let elapsed = summary.decimal("elapsed_ms");
    assert!(elapsed < 4000.0, "{elapsed} ms");
}
