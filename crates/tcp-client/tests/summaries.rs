//! The summary of a run with `--json`, which is its last object whatever fails; and what `-qq`
//! leaves of the objects.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use common::testing::{Event, Finished, quiet_command, run, run_command};

use counterpart::{TCP_CLIENT, answer, client, reserved, server};

const NOWHERE: &str = "no-such-name.invalid";

/// The objects of a run, all of them as documented: their names, and the summary, which is last.
fn objects(ended: &Finished) -> (Vec<String>, Event) {
    let event = |line| Event::as_documented(line, "tcp-client");
    let events: Vec<_> = ended.stdout.lines().map(event).collect();
    let names = events.iter().map(|event| event.name().to_owned()).collect();
    let summary = events.into_iter().next_back().unwrap();
    assert_eq!(summary.name(), "summary", "{ended:?}");
    (names, summary)
}

#[test]
fn a_run_of_a_name_without_an_address_has_a_summary() {
    for (quiet, names) in [
        (&[][..], &["probe", "summary"][..]),
        (&["-q"], &["probe", "summary"]),
        (&["-qq"], &["summary"]),
    ] {
        for count in ["3", "0"] {
            let args = [&[NOWHERE, "-c", count, "--json"], quiet].concat();
            let ended = run(TCP_CLIENT, &args);
            let (found, summary) = objects(&ended);
            assert_eq!(
                (found, ended.status),
                (names.iter().map(|n| n.to_string()).collect(), Some(1))
            );
            let counts = ["sent", "ok", "lost", "unfinished", "failed"];
            assert_eq!(counts.map(|field| summary.number(field)), [0, 0, 0, 0, 1]);
            assert_eq!(summary.object("verdicts").number("unresolved"), 1);
            assert!(summary.decimal("failed_percent") == 100.0 && summary.is_null("loss_percent"));
        }
    }
    // People have one line, as of ping.
    let ended = run(TCP_CLIENT, &[NOWHERE, "-c", "3"]);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.lines().count(), ended.status),
        ("", 1, Some(1))
    );
}

#[test]
fn a_run_from_an_address_that_is_not_ours_has_a_summary() {
    let args = ["127.0.0.1", "-s", "192.0.2.99", "-c", "3", "--json"];
    let ended = run(TCP_CLIENT, &args);
    let (names, summary) = objects(&ended);
    assert_eq!((names, ended.status), (vec!["probe".to_owned(), "summary".to_owned()], Some(2)));
    assert_eq!((summary.object("verdicts").number("local"), summary.number("failed")), (1, 0));
    assert!(summary.is_null("failed_percent"), "{summary:?}");
}

#[test]
fn a_run_that_this_machine_cannot_begin_has_a_summary() {
    // There are descriptors for the libraries alone.
    let without_descriptors = |quiet: &[&str]| {
        let mut limited = quiet_command("sh");
        limited.args(["-c", r#"ulimit -n 4; exec "$0" "$@""#, TCP_CLIENT, "127.0.0.1"]);
        limited.args(["-c", "3", "--json"]).args(quiet);
        run_command(limited, b"")
    };
    for (quiet, names) in [(&[][..], &["failure", "summary"][..]), (&["-qq"], &["summary"])] {
        let ended = without_descriptors(quiet);
        let (found, summary) = objects(&ended);
        assert_eq!(found, names);
        assert_eq!((summary.number("sent"), summary.number("failed")), (0, 0));
        assert!(
            ended.stderr.ends_with(": too many open files (at most 4 for this process)\n"),
            "{ended:?}"
        );
        assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(2)));
    }
    // So it is if the target and the options do not go together.
    let ended = run(TCP_CLIENT, &["-6", "127.0.0.1", "-c", "3", "--json"]);
    assert_eq!(objects(&ended).0, ["failure", "summary"]);
    assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(2)));
}

#[test]
fn with_qq_the_summary_is_the_only_object_of_a_run() {
    let (_held, address) = reserved();
    let args = ["-c", "3", "-i", "20ms", "--json", "-qq"];
    let ended = client(address, &args);
    let (names, summary) = objects(&ended);
    assert_eq!((names, summary.number("failed")), (vec!["summary".to_owned()], 3));
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(1)));
    let ended = client(address, &[&args[..], &["--expect", "refused"]].concat());
    assert_eq!((objects(&ended).0.len(), ended.status), (1, Some(0)));
    let ended = client(address, &args[..4]);
    assert!(ended.stdout.contains("3 sent in "), "{ended:?}");
    assert_eq!(client(address, &["-c", "3", "-i", "20ms", "-qq"]).stdout, "", "as text");
}

#[test]
fn with_qq_an_exchange_that_fails_has_its_object() {
    let (_held, address) = reserved();
    let ended = client(address, &["--json", "-qq"]);
    let probe = Event::as_documented(ended.stdout.trim_end(), "tcp-client");
    assert_eq!((probe.text("verdict"), ended.stderr.as_str()), ("refused", ""));
    let args = ["--json", "-qq", "--wait", "-w", "100ms"];
    let waited = client(address, &args);
    let probe = Event::as_documented(waited.stdout.trim_end(), "tcp-client");
    assert_eq!((probe.text("verdict"), waited.status), ("refused", Some(124)));
    // No news is good news.
    let (address, _served) = server("127.0.0.1:0", answer(b"ACK!"));
    let ended = client(address, &["--json", "-qq"]);
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(0)));
}
