//! The summary of a run with `--json`, which is its last object whatever fails.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

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
