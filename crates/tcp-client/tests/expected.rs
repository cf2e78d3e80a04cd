//! `--expect`: several verdicts, and those that cannot come.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::net::TcpListener;

use common::testing::{Event, Server, quiet_command, run};

use counterpart::{TCP_CLIENT, answer, assert_failed, client, reserved, server};

#[test]
fn any_of_several_verdicts_is_a_success() {
    let (_held, address) = reserved();
    let ended = client(address, &["--expect", "timeout,refused"]);
    let line = format!("{address}: refused (a reset came back)\n");
    assert_eq!((ended.stdout, ended.stderr.as_str(), ended.status), (line, "", Some(0)));
    let line = format!("{address}: refused (a reset came back), and not unreachable or timeout");
    assert_failed(&client(address, &["--expect", "timeout,unreachable"]), 1, &line);

    // A reply is printed, whether it is the expected outcome or one of them.
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let ended = client(address, &["--expect", "refused,ok"]);
    assert_eq!((&*ended.stdout, &*ended.stderr, ended.status), ("ACK!\n", "", Some(0)));
}

#[test]
fn a_run_counts_each_of_the_expected_verdicts() {
    let (_held, address) = reserved();
    let run = |expected| client(address, &["-c", "3", "-i", "20ms", "--expect", expected]);
    let ended = run("refused,timeout");
    // A busy machine has remarks after it.
    let counts = ended.stdout.lines().find(|line| line.contains(" sent in ")).unwrap();
    assert!(counts.ends_with(": 3 refused, 0 timeout, 0.0 % not as expected"), "{counts}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    let ended = run("ok,timeout");
    let line = "3 of 3 probes came to something else than ok or timeout (100.0 %)";
    assert_eq!(ended.stderr, format!("tcp-client: {address}: {line}\n"));
    assert_eq!(ended.status, Some(1));
}

#[test]
fn with_wait_any_of_them_ends_the_wait() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut command = quiet_command("sh");
    command.args(["-c", r#"exec "$0" "$@" 2>&1"#, TCP_CLIENT, &address]);
    command.args(["--wait", "-w", "30s", "-W", "100ms", "--expect", "ok,refused", "--json"]);
    let mut waiting = Server::spawn(command, 0);
    waiting.wait_for("no-reply (silent-program: connected, its system acknowledged the message, then nothing within 100ms), and not ok or refused");
    drop(silent);
    let (status, lines) = waiting.finish();
    let last = Event::as_documented(lines.last().unwrap(), "tcp-client");
    assert_eq!((last.text("verdict"), status), ("refused", Some(0)));
}

#[test]
fn a_verdict_that_cannot_come_is_no_expectation() {
    for (args, line) in [
        (
            &["--expect", "wrong-source"][..],
            "--expect wrong-source: cannot come over TCP: a connection has one peer",
        ),
        (
            &["--expect", "ok,wrong-reply"],
            "--expect wrong-reply: only with --expect-reply or --expect-prefix",
        ),
        (
            &["192.0.2.1", "--wait", "--expect", "unresolved"],
            "--expect unresolved: 192.0.2.1:6666 has an address, and no name to resolve",
        ),
        (
            &["--expect", "refused,open"],
            "--expect refused,open: open is not a verdict: ok, refused, unreachable, timeout, \
             no-reply, reset, wrong-reply, wrong-source, unresolved, local",
        ),
        (&["--expect", "refused,"], "--expect refused,: a verdict is missing beside a comma"),
    ] {
        assert_failed(&run(TCP_CLIENT, args), 2, line);
    }
}
