//! The summary of a run with `--json`, which is its last object whatever fails.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;

use common::testing::{Event, Finished, quiet_command, run, run_command};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

/// The names of the objects of a run, which are as documented, and what must be the summary.
fn objects(ended: &Finished) -> (Vec<String>, Event) {
    let event = |line| Event::as_documented(line, "udp-client");
    let events: Vec<_> = ended.stdout.lines().map(event).collect();
    let names = events.iter().map(|event| event.name().to_owned()).collect();
    (names, events.into_iter().next_back().unwrap())
}

#[test]
fn a_run_has_a_summary_whatever_fails() {
    for (args, names, status) in [
        (&["no-such-name.invalid"][..], &["probe", "summary"][..], 1),
        (&["no-such-name.invalid", "-qq"], &["summary"], 1),
        (&["127.0.0.1", "-s", "192.0.2.99"], &["probe", "summary"], 2),
        (&["-6", "127.0.0.1", "-i", "0"], &["failure", "summary"], 2),
        (&["-6", "127.0.0.1", "-qq"], &["summary"], 2),
    ] {
        let ended = run(UDP_CLIENT, &[&["-c", "3", "--json"], args].concat());
        let (found, summary) = objects(&ended);
        assert_eq!(
            (found, ended.status),
            (names.iter().map(|n| n.to_string()).collect(), Some(status))
        );
        assert_eq!((summary.number("sent"), summary.number("ok")), (0, 0));
    }
    let mut limited = quiet_command("sh");
    limited.args(["-c", r#"ulimit -n 4; exec "$0" -c 3 --json"#, UDP_CLIENT]);
    let ended = run_command(limited, b"");
    assert_eq!(
        (objects(&ended).0, ended.status),
        (vec!["failure".to_owned(), "summary".to_owned()], Some(2))
    );
}

#[test]
fn a_summary_says_from_where_and_when_and_counts_by_fixed_bounds() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let answered = thread::spawn(move || {
        for delay_ms in [0, 30, 0] {
            let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
            // The replies have to fall into different buckets.
            thread::sleep(std::time::Duration::from_millis(delay_ms));
            server.send_to(b"ok", peer).unwrap();
        }
    });
    let ended = run(UDP_CLIENT, &[&*address, "-c", "3", "-i", "0", "--json"]);
    answered.join().unwrap();
    let (_, summary) = objects(&ended);
    assert!(summary.text("local").starts_with("127.0.0.1:"), "{summary:?}");
    let [begin, end] = ["begin", "end"].map(|field| summary.text(field));
    assert!(begin.len() == "2026-11-26T20:43:00.000Z".len() && begin < end, "{summary:?}");
    let reply = summary.object("reply_ms");
    let buckets = summary.list("buckets");
    let (all, bounded) = buckets.split_last().unwrap();
    assert!(all.is_null("le_ms") && all.number("count") == 3, "{summary:?}");
    let at = |bound: f64| {
        let found = bounded.iter().find(|bucket| bucket.decimal("le_ms") == bound);
        found.unwrap().number("count")
    };
    assert!(at(25.0) <= 2 && at(10_000.0) == 3, "{summary:?}");
    for pair in buckets.windows(2) {
        assert!(pair[0].number("count") <= pair[1].number("count"), "{summary:?}");
    }
    for bucket in bounded.iter().filter(|bucket| bucket.number("count") > 0) {
        assert!(bucket.decimal("le_ms") >= reply.decimal("min"), "{summary:?}");
    }
}
