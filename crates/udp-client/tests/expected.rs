//! `--expect`: several verdicts, and those that cannot come.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;

use common::testing::run;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn any_of_several_verdicts_is_a_success() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let args = [&address, "-m", "x", "-W", "100ms", "--expect", "refused,no-reply"];
    let ended = run(UDP_CLIENT, &args);
    let line = format!("{address}: no-reply (nothing came back within 100ms)\n");
    assert_eq!((ended.stdout, ended.stderr.as_str(), ended.status), (line, "", Some(0)));
    drop(silent);
    // Another test's child may hold the socket until it calls exec.
    let args = [&address, "-m", "x", "-W", "100ms", "--wait", "-q", "--expect", "ok,refused"];
    let ended = run(UDP_CLIENT, &args);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_verdict_that_cannot_come_is_no_expectation() {
    for (verdict, why) in [
        ("timeout", "cannot come over UDP: silence is no-reply"),
        ("reset", "cannot come over UDP: without a connection, nothing is reset"),
        ("wrong-reply", "only with --expect-reply or --expect-prefix"),
        ("unresolved", "127.0.0.1:6666 has an address, and no name to resolve"),
    ] {
        let expect = format!("ok,{verdict}");
        // At the prompt, too.
        for more in [&["-m", "x"][..], &["-c", "2"], &[]] {
            let ended = run(UDP_CLIENT, &[&["--expect", &expect], more].concat());
            let line = format!("udp-client: --expect {verdict}: {why}\n");
            assert_eq!((ended.stdout, ended.stderr, ended.status), (String::new(), line, Some(2)));
        }
    }
}
