//! The verdict and the exit status for whatever the other side does.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::testing::{Event, Finished, Server, quiet_command, run, run_with_input};
use socket2::SockRef;

use counterpart::{TCP_CLIENT, answer, assert_failed, client, reserved, reserved_at, server};

#[test]
fn talking_to_oneself_is_no_success() {
    for any_port in ["127.0.0.1:0", "[::1%1]:0"] {
        let mut address: SocketAddr = any_port.parse().unwrap();
        let (_held, own) = reserved_at(address);
        // The target keeps its zone, which the kernel leaves out of `own`.
        address.set_port(own.port());
        let ended = client(address, &["--source-port", &address.port().to_string()]);
        let why = "refused (nobody listens there: it would have talked to itself)";
        assert_failed(&ended, 1, &format!("{address}: {why}"));
    }
}

#[test]
fn a_reply_counts_although_a_reset_followed_at_once() {
    for _ in 0..100 {
        let (address, _) = server("127.0.0.1:0", |mut stream| {
            stream.write_all(b"ACK!").unwrap();
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        let ended = client(address, &[]);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ACK!\n", ""));
    }
}

#[test]
fn nobody_there() {
    let (_held, address) = reserved();
    assert_failed(&client(address, &[]), 1, &format!("{address}: refused (a reset came back)"));
}

#[test]
fn no_reply_in_time() {
    let (address, _served) = server("127.0.0.1:0", |mut stream| {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_or_default()
    });
    let ended = client(address, &["--timeout", "200ms"]);
    assert_failed(
        &ended,
        1,
        &format!(
            "{address}: no-reply (silent-program: connected, its system acknowledged the message, then nothing within 200ms)"
        ),
    );
}

#[test]
fn no_connection_in_time() {
    // A listener whose queue is full takes no more SYNs.
    let (listener, address) = reserved();
    listener.listen(0).unwrap();
    let _queued = TcpStream::connect(address).unwrap();
    let ended = client(address, &["-W", "0.2"]);
    assert_failed(&ended, 1, &format!("{address}: timeout (no connection within 200ms)"));
    // TCP sends the SYN again after a second (RFC 6298, section 2.1).
    let probe = object(&client(address, &["-J", "-W", "1500ms"]));
    assert_eq!(probe.text("verdict"), "timeout");
    assert_ne!(probe.number("syn_retransmits"), 0);
}

#[test]
fn closed_without_a_reply() {
    let (address, served) = server("127.0.0.1:0", |mut stream| {
        let mut message = [0; 1024];
        let len = stream.read(&mut message).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        len
    });
    assert_failed(
        &client(address, &[]),
        1,
        &format!("{address}: no-reply (closed without a reply)"),
    );
    served.join().unwrap();
}

#[test]
fn reset_instead_of_a_reply() {
    let (address, _) = server("127.0.0.1:0", |mut stream| {
        stream.read_exact(&mut [0; 1]).unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_failed(
        &client(address, &[]),
        1,
        &format!("{address}: reset (connection reset by peer)"),
    );
}

#[test]
fn a_reply_is_taken_although_the_message_could_not_be_sent() {
    // The tutorial's server closes while data is unread, which resets the connection. The
    // reply came before the reset.
    let input = vec![b'x'; 8 * 1024 * 1024];
    for _ in 0..20 {
        let (address, _) = server("127.0.0.1:0", |mut stream| {
            stream.read_exact(&mut [0; 1024]).unwrap();
            stream.write_all(b"ACK!").unwrap();
        });
        let ended = run_with_input(TCP_CLIENT, &["-m", "-", &address.to_string()], &input);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ACK!\n", ""));
    }
}

/// The object that `--json` prints.
fn object(ended: &Finished) -> Event {
    Event::as_documented(&ended.stdout, "tcp-client")
}

#[test]
fn an_outcome_is_a_json_object() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!\n"));
    let ended = client(address, &["--json"]);
    let probe = object(&ended);
    assert_eq!(
        (probe.name(), probe.text("verdict"), probe.text("reply")),
        ("probe", "ok", "ACK!\\n")
    );
    assert_eq!(probe.text("target"), address.to_string());
    assert!(probe.text("local").starts_with("127.0.0.1:"));
    assert!(probe.decimal("connect_ms") > 0.0 && probe.decimal("reply_ms") > 0.0);
    assert_eq!(probe.number("syn_retransmits"), 0);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));

    let (_reserved, address) = reserved();
    let ended = client(address, &["-J"]);
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), probe.text("reason")), ("refused", "a reset came back"));
    let line = format!("tcp-client: {address}: refused (a reset came back)\n");
    assert_eq!((ended.stderr, ended.status), (line, Some(1)));
    // An expected failure is no warning, so -q does not print it.
    let ended = client(address, &["-Jq", "--expect", "refused"]);
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(0)));
    assert_eq!(object(&client(address, &["-Jq"])).text("verdict"), "refused");
}

#[test]
fn the_expected_verdict_is_a_success() {
    let (_reserved, address) = reserved();
    let ended = client(address, &["--expect", "refused"]);
    let line = format!("{address}: refused (a reset came back)\n");
    assert_eq!((ended.stdout, ended.stderr.as_str(), ended.status), (line, "", Some(0)));
    let line = format!("{address}: refused (a reset came back), and not timeout");
    assert_failed(&client(address, &["--expect", "timeout"]), 1, &line);

    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let ended = client(address, &["--expect", "refused"]);
    let line = format!("tcp-client: {address}: ok, and not refused\n");
    assert_eq!((ended.stdout.as_str(), ended.stderr, ended.status), ("ACK!\n", line, Some(1)));
}

#[test]
fn a_reply_other_than_the_expected_one_is_a_failure() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    assert_eq!(client(address, &["--expect-reply", "ACK!"]).stdout, "ACK!\n");
    let (address, _) = server("127.0.0.1:0", answer(b"\x1bno"));
    let line = format!("{address}: wrong-reply ('\\x1bno', and not 'ACK!')");
    assert_failed(&client(address, &["--expect-reply", "ACK!"]), 1, &line);
}

#[test]
fn a_reply_that_does_not_begin_as_expected_is_a_failure() {
    let prefix = ["--expect-prefix", "SSH-2.0-"];
    // The prefix comes in two pieces.
    let (address, _) = server("127.0.0.1:0", |mut stream| {
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"SSH").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(b"-2.0-box\r\n").unwrap();
    });
    let ended = client(address, &[&prefix[..], &["-m", "hello"]].concat());
    assert_eq!((ended.stdout.as_str(), ended.status), ("SSH-2.0-box\r\n\n", Some(0)));
    let (address, _) = server("127.0.0.1:0", answer(b"SSH-1.99-box"));
    let why = "wrong-reply ('SSH-1.99-box', which does not begin with 'SSH-2.0-')";
    assert_failed(&client(address, &prefix), 1, &format!("{address}: {why}"));
    let ended = run(TCP_CLIENT, &[&prefix[..], &["--expect-reply", "x"]].concat());
    let line = "tcp-client: --expect-prefix: cannot be used with --expect-reply\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(2)));
}

#[test]
fn a_name_without_an_address_is_unresolved() {
    let target = "no-such-name.invalid";
    let ended = run(TCP_CLIENT, &[target, "--json"]);
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), ended.status), ("unresolved", Some(1)));
    let ended = run(TCP_CLIENT, &[target]);
    assert!(ended.stderr.starts_with(&format!("tcp-client: {target}:6666: unresolved (")));
    assert_eq!(ended.status, Some(1));
}

#[test]
fn with_wait_the_client_tries_until_somebody_answers() {
    let (reserved, address) = reserved();
    // The client's log of its attempts goes to standard error.
    let mut command = quiet_command("sh");
    command.args(["-c", r#"exec "$0" "$@" 2>&1"#, TCP_CLIENT, &address.to_string()]);
    command.args(["-v", "--wait", "--deadline", "30s"]);
    let mut waiting = Server::spawn(command, 0);
    waiting.wait_for(": refused");
    drop(reserved);
    let _served = server(&address.to_string(), answer(b"ACK!"));
    let (status, lines) = waiting.finish();
    assert_eq!((lines.last().map(String::as_str), status), (Some("ACK!"), Some(0)));
}

#[test]
fn with_wait_the_client_gives_up_at_the_deadline() {
    let (_reserved, address) = reserved();
    let begun = Instant::now();
    let ended = client(address, &["--wait", "-w", "1200ms"]);
    assert!((1000..30_000).contains(&begun.elapsed().as_millis()), "until near the deadline");
    let words = format!("tcp-client: {address}: refused (a reset came back)");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (2, format!("{words}; trying again").as_str()),
        "{lines:?}"
    );
    assert!(lines[1].starts_with(&format!("{words}, for ")), "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(124)));
    // Silence proves nothing if the deadline cut it short.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ended = client(address, &["--wait", "-w", "300ms", "--expect", "no-reply"]);
    let line = "no-reply (silent-program: connected, its system acknowledged the message, then nothing within 300ms), cut short by the deadline";
    assert_failed(&ended, 124, &format!("{address}: {line}"));
    // Without --wait a deadline is a time limit like any other.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let line = format!(
        "{address}: no-reply (silent-program: connected, its system acknowledged the message, then nothing within 200ms)"
    );
    assert_failed(&client(address, &["-w", "200ms"]), 1, &line);
}

#[test]
fn silence_that_the_deadline_cut_short_proves_nothing() {
    let silent = || {
        let (address, _) = server("127.0.0.1:0", |mut stream| {
            let _ = stream.read_to_end(&mut Vec::new());
        });
        address
    };
    let args = ["--expect", "no-reply", "-W", "5s", "--deadline", "200ms"];
    let ended = client(silent(), &args);
    assert!(ended.stderr.ends_with("ms), cut short by the deadline\n"), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(1)));
    let args = ["--expect", "no-reply", "-W", "200ms", "--deadline", "5s"];
    let ended = client(silent(), &args);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_program_that_does_not_read_is_silent_too() {
    let (gone, client_is_gone) = mpsc::channel::<()>();
    let (address, served) = server("127.0.0.1:0", move |mut stream| {
        let _ = stream.peek(&mut [0; 1]);
        let _ = client_is_gone.recv();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let ended = client(address, &["--json", "-W", "300ms", "--size", "60000000"]);
    drop(gone);
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), probe.text("cause")), ("no-reply", "silent-program"));
    let why = "connected, its system took a part of the message, and had no room for more, ";
    assert_eq!(probe.text("reason"), [why, "then nothing within 300ms"].concat());
    served.join().unwrap();
}

#[test]
fn a_run_counts_the_causes_and_says_what_they_mean() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ended = client(address, &["-c", "3", "-i", "10ms", "-W", "100ms", "-q"]);
    let remark = "\n3 silent-program: the target's system had the message.\n";
    assert!(ended.stdout.contains(remark), "{}", ended.stdout);
    let ended = client(address, &["-c", "3", "-i", "10ms", "-W", "100ms", "-qq", "--json"]);
    let causes = object(&ended).object("causes");
    assert_eq!((causes.number("silent-program"), causes.number("unacknowledged")), (3, 0));
}
