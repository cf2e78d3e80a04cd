//! Runs of probes (`--count`): what the ledger says, in words and in JSON.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::testing::{Event, quiet_command, run, run_command};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// Calls `serve` for each datagram, with the datagram's number from 1 on, until the test's
/// process ends.
fn serve(mut serve: impl FnMut(&UdpSocket, u32, SocketAddr) + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        for number in 1.. {
            let (_, peer) = socket.recv_from(&mut [0; 1024]).unwrap();
            serve(&socket, number, peer);
        }
    });
    address
}

/// Answers each datagram as often as `times` says for the datagram's number.
fn server(times: impl Fn(u32) -> u32 + Send + 'static) -> SocketAddr {
    serve(move |socket, number, peer| {
        for _ in 0..times(number) {
            socket.send_to(OK, peer).unwrap();
        }
    })
}

/// Runs probes with `--json`. Returns the exit status and the events, which must be as
/// documented.
fn probes(address: SocketAddr, args: &[&str]) -> (Option<i32>, Vec<Event>) {
    let ended = run(UDP_CLIENT, &[&[address.to_string().as_str(), "--json"], args].concat());
    let event = |line| Event::as_documented(line, "udp-client");
    let events: Vec<_> = ended.stdout.lines().map(event).collect();
    (ended.status, events)
}

/// The probe with this number.
fn probe(events: &[Event], number: u64) -> &Event {
    let mut probes = events.iter().filter(|event| event.name() == "probe");
    probes.find(|probe| probe.number("number") == number).unwrap()
}

#[test]
fn what_is_lost_is_counted_and_its_port_is_left() {
    let address = server(|number| u32::from(number != 2));
    // In a closed loop probes have lines only with -v.
    let args = ["-c", "4", "-i", "0", "-v", "-W", "1s"];
    let (status, events) = probes(address, &args);
    let summary = events.last().unwrap();
    assert_eq!((status, summary.name()), (Some(1), "summary"));
    let counts = ["sent", "ok", "lost", "late", "unfinished"].map(|field| summary.number(field));
    assert_eq!(counts, [4, 3, 1, 0, 0]);
    let port = |number| probe(&events, number).text("local");
    assert_eq!(port(1), port(3), "a port that was answered is used again when it has rested");
    assert!([1, 3, 4].iter().all(|other| port(*other) != port(2)), "one without a reply is left");
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
    let strays: Vec<_> = events.iter().filter(|event| event.name() == "stray").collect();
    // The second reply to the last probe may come when the run is over.
    assert!((2..=3).contains(&strays.len()), "{events:?}");
    assert_eq!(summary.number("duplicate"), strays.len() as u64);
    for stray in strays {
        assert_eq!(stray.text("kind"), "duplicate");
        if let number @ 1..3 = stray.number("number") {
            let next = probe(&events, number + 1).text("local");
            assert_ne!(stray.text("local"), next, "the next probe leaves from another port");
        }
    }
}

#[test]
fn a_doubled_reply_shifts_no_others_in_a_closed_loop() {
    // Each reply takes 20 ms, and the copy of the second one 5 ms more.
    let address = serve(|socket, number, peer| {
        let socket = socket.try_clone().unwrap();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            socket.send_to(OK, peer).unwrap();
            if number == 2 {
                thread::sleep(Duration::from_millis(5));
                socket.send_to(OK, peer).unwrap();
            }
        });
    });
    let (status, events) = probes(address, &["-c", "12", "-i", "0"]);
    let summary = events.last().unwrap();
    let counts = ["sent", "ok", "duplicate"].map(|field| summary.number(field));
    assert_eq!((status, counts), (Some(0), [12, 12, 1]));
    let least = summary.object("reply_ms").decimal("min");
    assert!(least >= 20.0, "a reply was taken for the next probe's: {events:?}");
}

#[test]
fn a_late_reply_is_counted_and_is_no_other_probes() {
    // The first probe is answered only when the second one has come. When the last one is
    // answered, the run is over.
    let mut first = None;
    let address = serve(move |socket, number, peer| {
        if number == 1 {
            first = Some(peer);
            return;
        }
        if let Some(first) = first.take() {
            socket.send_to(OK, first).unwrap();
        }
        socket.send_to(OK, peer).unwrap();
    });
    let (status, events) = probes(address, &["-c", "3", "-i", "1500ms", "-W", "1s"]);
    let (lost, answered) = (probe(&events, 1), probe(&events, 2));
    let stray = events.iter().find(|event| event.name() == "stray").unwrap();
    let summary = events.last().unwrap();
    assert_eq!((lost.text("verdict"), answered.text("verdict")), ("no-reply", "ok"));
    assert_eq!((stray.text("kind"), stray.number("number")), ("late", 1));
    assert_eq!(
        (stray.text("from"), stray.text("local")),
        (&*address.to_string(), lost.text("local"))
    );
    assert!(stray.decimal("after_ms") >= 1000.0, "{stray:?}");
    let fields = ["sent", "ok", "late", "lost", "unfinished", "failed", "duplicate"];
    assert_eq!(fields.map(|field| summary.number(field)), [3, 2, 1, 0, 0, 1, 0]);
    assert_eq!(status, Some(1));
}

#[test]
fn what_a_stranger_sends_is_counted_and_is_no_reply() {
    // A stranger answers each probe, and nobody else answers the second.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let strange = stranger.local_addr().unwrap().to_string();
    let address = serve(move |socket, number, peer| {
        stranger.send_to(OK, peer).unwrap();
        if number != 2 {
            socket.send_to(OK, peer).unwrap();
        }
    });
    let (status, events) = probes(address, &["-c", "3", "-i", "20ms", "-W", "1s"]);
    let of = |name| events.iter().filter(move |event| event.name() == name);
    let mut verdicts: Vec<_> =
        of("probe").map(|probe| (probe.number("number"), probe.text("verdict"))).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, [(1, "ok"), (2, "wrong-source"), (3, "ok")]);
    let is_strange =
        |stray: &Event| stray.text("kind") == "foreign" && stray.text("from") == strange;
    assert!(of("stray").all(is_strange), "{events:?}");
    let mut numbers: Vec<_> = of("stray").map(|stray| stray.number("number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    let summary = events.last().unwrap();
    let fields = ["sent", "ok", "lost", "failed", "foreign", "duplicate", "late"];
    assert_eq!(fields.map(|field| summary.number(field)), [3, 2, 1, 1, 3, 0, 0]);
    assert_eq!(status, Some(1));
}

#[test]
fn a_source_port_that_fails_alone_is_named() {
    let (sender, first) = mpsc::channel();
    let mut silent = None;
    let address = serve(move |socket, _, peer| {
        if silent.is_none() {
            silent = Some(peer);
            sender.send(peer).unwrap();
        }
        if silent != Some(peer) {
            socket.send_to(OK, peer).unwrap();
        }
    });
    let args = ["-c", "3", "-i", "20ms", "-W", "1s", "--flows", "3", "--max-loss", "100"];
    let ended = run(UDP_CLIENT, &[&[address.to_string().as_str()], &args[..]].concat());
    // The flow leaves that port for another one, which is the third of the 3 others.
    let port = first.recv().unwrap().port();
    let line = format!("\nFailed from source ports {port} (1 of 1); from 3 others none did.\n");
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_summary_in_words() {
    let address = server(|_| 1);
    let ended = run(UDP_CLIENT, &[&address.to_string(), "-c", "40", "-i", "0", "--flows", "4"]);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], format!("--- {address}"));
    assert!(lines[1].starts_with("160 sent in "), "{lines:?}");
    assert!(lines[1].ends_with(": 160 ok, 0.0 % lost"), "{lines:?}");
    // There is no p99.9, because 160 samples are too few for it.
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["ms", "min", "mean", "p50", "p90", "p99", "max", "samples"]
    );
    let row = lines.iter().find(|line| line.starts_with("jitter")).unwrap();
    let jitter = row.split_once("jitter").map(|(_, rest)| rest.trim().parse::<f64>());
    assert!(
        row.len() == lines[2].find("mean").unwrap() + 4 && jitter.unwrap().is_ok(),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line.len() <= 80), "{lines:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
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
        let ended = run(UDP_CLIENT, &[&["127.0.0.1", "-m", "x"], option].concat());
        assert!(ended.stderr.ends_with(": only with --count\n"), "{}", ended.stderr);
        assert_eq!(ended.status, Some(2));
    }
}

#[test]
fn flows_that_have_no_port_are_told_before_anything_is_sent() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let args = [&address, "-c", "1", "-i", "1ms", "--source-port", "65534", "--flows", "3"];
    let ended = run(UDP_CLIENT, &args);
    let why = "the last of 3 flows would send from 65536, above 65535";
    assert_eq!(ended.stderr, format!("udp-client: --source-port 65534: {why}\n"));
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(2)));
    assert!(socket.recv(&mut [0; 1024]).is_err(), "nothing was sent");
}

#[test]
fn with_few_descriptors_probes_are_sent_later() {
    let address = server(|_| 1).to_string();
    let mut limited = quiet_command("sh");
    limited.args(["-c", r#"ulimit -n 40; exec "$0" "$@""#, UDP_CLIENT, &address]);
    limited.args(["-c", "2", "-i", "1ms", "--flows", "60"]);
    let ended = run_command(limited, b"");
    assert!(ended.stdout.contains(": 120 ok, 0.0 % lost\n"), "{ended:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_port_that_lost_a_reply_is_not_used_again_even_if_it_had_to_be_closed() {
    let address = server(|_| 0).to_string();
    let mut limited = quiet_command("sh");
    // There is room for 16 ports.
    limited.args(["-c", r#"ulimit -n 40; exec "$0" "$@""#, UDP_CLIENT, &address]);
    limited.args(["-c", "40", "-i", "5ms", "-W", "50ms", "--json"]);
    let ended = run_command(limited, b"");
    let events: Vec<_> = ended.stdout.lines().map(Event::parse).collect();
    let port = |number| {
        let local: SocketAddr = probe(&events, number).text("local").parse().unwrap();
        i32::from(local.port())
    };
    // The numbers go up by one, or by some more if others use those in between; or they begin
    // again at the lowest.
    let steps: Vec<_> = (1..40).map(|number| port(number + 1) - port(number)).collect();
    assert!(steps.iter().filter(|step| !(1..100).contains(*step)).count() <= 1, "{steps:?}");
    let summary = events.last().unwrap();
    assert!(summary.number("held") > 0 && summary.number("skipped") == 0, "{summary:?}");
}

#[test]
fn a_reply_other_than_the_expected_one_is_not_lost() {
    let address = server(|_| 1);
    let (status, events) = probes(address, &["-c", "2", "-i", "0", "--expect-reply", "foo"]);
    let summary = events.last().unwrap();
    assert_eq!((summary.number("lost"), summary.number("failed"), status), (0, 2, Some(1)));
}

#[test]
fn an_interval_may_be_shorter_than_a_millisecond() {
    let (status, events) = probes(server(|_| 1), &["-c", "100", "-i", "500us", "-q"]);
    let elapsed = events.last().unwrap().decimal("elapsed_ms");
    assert_eq!(status, Some(0));
    assert!(elapsed >= 49.5, "{elapsed} ms");
}
