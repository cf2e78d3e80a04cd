//! What signals do to an exchange, and to a run.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Write, pipe};
use std::net::UdpSocket;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::testing::{Event, Running, contained, quiet_command};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// A socket, and its address.
fn server() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[test]
fn a_reply_that_came_while_the_client_was_stopped_is_in_time() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-m", "x", "-W", "300ms"]);
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    client.stop();
    server.send_to(OK, peer).unwrap();
    // More time has to pass than the client's timeout.
    thread::sleep(Duration::from_millis(400));
    client.go_on();
    let ended = client.finish();
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_reply_that_came_too_late_while_the_client_was_stopped_is_late() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-c", "1", "-W", "300ms"]);
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    client.stop();
    // More time has to pass than the client's timeout.
    thread::sleep(Duration::from_millis(400));
    server.send_to(OK, peer).unwrap();
    client.go_on();
    let ended = client.finish();
    assert!(ended.stdout.contains(" 0 ok, 1 no-reply, 1 late, 0.0 % lost\n"), "{ended:?}");
}

#[test]
fn the_time_for_which_the_client_was_stopped_is_not_the_replys() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-m", "x", "--json"]);
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    client.stop();
    server.send_to(OK, peer).unwrap();
    thread::sleep(Duration::from_millis(1000));
    client.go_on();
    let ended = client.finish();
    let probe = Event::parse(&ended.stdout);
    assert_eq!(probe.text("verdict"), "ok");
    assert!(probe.decimal("reply_ms") < 1000.0, "{probe:?}");
    assert!(probe.decimal("host_ms") >= 1000.0, "it is this machine's own: {probe:?}");
}

#[test]
fn a_run_says_that_this_machine_was_slow_to_read() {
    for style in [&[][..], &["--json"]] {
        let (server, address) = server();
        let client = Running::start(UDP_CLIENT, &[&[&*address, "-c", "1"], style].concat());
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        client.stop();
        server.send_to(OK, peer).unwrap();
        thread::sleep(Duration::from_millis(300));
        client.go_on();
        let ended = client.finish();
        if style.is_empty() {
            let row = ended.stdout.lines().find(|line| line.starts_with("host ")).unwrap();
            let least: f64 = row.split_whitespace().nth(1).unwrap().parse().unwrap();
            assert!(least >= 300.0, "{ended:?}");
        } else {
            let summary = Event::as_documented(ended.stdout.lines().last().unwrap(), "udp-client");
            let [host, reply] = ["host_ms", "reply_ms"].map(|field| summary.object(field));
            assert!(host.decimal("min") >= 300.0 && reply.decimal("max") < 300.0, "{summary:?}");
            assert_eq!(host.number("samples"), 1);
        }
    }
}

#[test]
fn a_late_reply_that_came_while_the_client_was_stopped_is_late() {
    let (server, address) = server();
    let args = [&address, "-c", "2", "-i", "1s", "--flows", "2", "-W", "400ms"];
    let client = Running::start(UDP_CLIENT, &args);
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    // The other flow's first probe is due half a second later: by then the first probe's
    // time is up.
    server.recv_from(&mut [0; 1024]).unwrap();
    client.stop();
    server.send_to(OK, peer).unwrap();
    // Time has to pass until the port is no longer quiet and the next probe is due.
    thread::sleep(Duration::from_millis(600));
    client.go_on();
    let ended = client.finish();
    assert!(ended.stdout.contains("0 ok, 4 no-reply, 1 late, 75.0 % lost\n"), "{ended:?}");
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_second_reply_that_came_while_the_client_was_stopped_is_a_duplicate() {
    let (server, address) = server();
    let args = [&address, "-c", "2", "-i", "1600ms", "--flows", "2", "-W", "700ms"];
    let client = Running::start(UDP_CLIENT, &args);
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    server.send_to(OK, peer).unwrap();
    // The other flow's first probe is due half an interval later: by then the first reply
    // was received.
    server.recv_from(&mut [0; 1024]).unwrap();
    client.stop();
    server.send_to(OK, peer).unwrap();
    // Time has to pass until the next probe of the first port is due.
    thread::sleep(Duration::from_millis(900));
    client.go_on();
    let ended = client.finish();
    assert!(ended.stdout.contains("1 ok, 3 no-reply, 1 duplicate, 75.0 % lost\n"), "{ended:?}");
    assert_eq!(ended.status, Some(1));
}

#[test]
fn an_interrupt_ends_a_run_with_its_summary_and_what_is_open_is_no_success() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (server, address) = server();
        let client = Running::start(UDP_CLIENT, &[&address, "-c", "1000", "-i", "0"]);
        for _ in 0..3 {
            let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
            server.send_to(OK, peer).unwrap();
        }
        server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(signal);
        let ended = client.finish();
        assert!(ended.stdout.contains(": 3 ok, 1 unfinished, 0.0 % lost\n"), "{ended:?}");
        let failure = format!("udp-client: {address}: 1 of 4 probes did not end (25.0 %)\n");
        assert_eq!((ended.stderr, ended.status), (failure, Some(1)));
    }
}

#[test]
fn an_interrupt_ends_a_run_that_nobody_reads() {
    let (server, address) = server();
    server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let client = Running::start(UDP_CLIENT, &[&address, "-c", "100000", "-i", "0", "-v"]);
    // Answer until the client is stuck, because its pipe is full.
    while let Ok((_, peer)) = server.recv_from(&mut [0; 1024]) {
        server.send_to(OK, peer).unwrap();
    }
    client.signal(Signal::SIGINT);
    assert_eq!(client.end_unread(), None, "ended by the signal");
}

#[test]
fn an_interrupt_ends_a_run_whose_lines_nobody_reads() {
    let (server, address) = server();
    server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    // The lines of -v on standard error are no obstacle.
    let script = r#"exec "$0" "$1" -c 0 -i 0 -v --json 2>/dev/null"#;
    let client = Running::start("sh", &["-c", script, UDP_CLIENT, &address]);
    // Answer until the client is stuck: some 4 MiB wait for the reader by then.
    while let Ok((_, peer)) = server.recv_from(&mut [0; 1024]) {
        server.send_to(OK, peer).unwrap();
    }
    client.signal(Signal::SIGINT);
    assert_eq!(client.end_unread(), None, "ended by the signal");
}

#[test]
fn a_reader_that_has_stopped_does_not_hold_up_the_probes() {
    let (server, address) = server();
    // Some 300 bytes a line: far more than a pipe holds.
    let client = Running::start(UDP_CLIENT, &[&address, "-c", "2000", "-i", "1ms", "--json"]);
    // Nobody reads what the client prints before it is finished. If the machine is too busy
    // for some of the probes, they are skipped.
    let until_the_last = Duration::from_millis(500);
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut served = 0;
    while let Ok((_, peer)) = server.recv_from(&mut [0; 1024]) {
        server.send_to(OK, peer).unwrap();
        served += 1;
        if served > 1000 {
            server.set_read_timeout(Some(until_the_last)).unwrap();
        }
    }
    assert!(served > 1000, "only {served} were sent");
    let ended = client.finish();
    assert_eq!((ended.stdout.lines().count(), ended.status), (served + 1, Some(0)));
}

#[test]
fn an_interrupt_ends_a_single_exchange_at_once() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-m", "x"]);
    server.recv_from(&mut [0; 1024]).unwrap();
    client.signal(Signal::SIGINT);
    assert_eq!(client.finish().status, None, "ended by the signal");
}

#[test]
fn the_first_process_of_a_container_ends_by_signals_too() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let prompt = &[][..];
        for args in [prompt, &["-m", "x"], &["-m", "x", "--wait"]] {
            let (server, address) = server();
            let Some(mut command) = contained(UDP_CLIENT) else {
                return;
            };
            command.arg(&address).args(args);
            let (input, mut lines) = pipe().unwrap();
            let client = Running::spawn(command, input.into());
            lines.write_all(b"line\n").unwrap();
            let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
            if args == prompt {
                server.send_to(OK, peer).unwrap();
            }
            client.signal_child(signal);
            assert_eq!(client.finish().status, Some(status), "{args:?}");
        }
    }
}

/// A client that a shell starts, with `trap` before it.
fn trapped(trap: &str, args: &[&str]) -> Running {
    let mut command = quiet_command("sh");
    command.args(["-c", &format!("trap '' {trap}; exec \"$@\""), "sh", UDP_CLIENT]).args(args);
    Running::spawn(command, Stdio::null())
}

#[test]
fn a_sigint_is_heard_although_it_was_ignored_and_a_sighup_stays_ignored() {
    let (server, address) = server();
    let client = trapped("INT", &[&address, "-m", "x"]);
    server.recv_from(&mut [0; 1024]).unwrap();
    client.signal(Signal::SIGINT);
    assert_eq!(client.finish().status, Some(130));
    for args in [&["-m", "x"][..], &["-c", "1"], &["-m", "x", "--wait"]] {
        let client = trapped("HUP", &[&[address.as_str()], args].concat());
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(Signal::SIGHUP);
        server.send_to(OK, peer).unwrap();
        assert_eq!(client.finish().status, Some(0), "{args:?}");
        // Otherwise a hang-up ends a run at once.
        let client = Running::start(UDP_CLIENT, &[&[address.as_str()], args].concat());
        server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(Signal::SIGHUP);
        assert_eq!(client.finish().status, None, "{args:?}");
    }
}

#[test]
fn signals_that_come_at_once_are_one() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-c", "1000", "-i", "0"]);
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    server.send_to(OK, peer).unwrap();
    server.recv_from(&mut [0; 1024]).unwrap();
    // As from timeout(1), and from a script that is interrupted.
    client.stop();
    client.signal(Signal::SIGINT);
    client.signal(Signal::SIGTERM);
    client.go_on();
    let ended = client.finish();
    assert!(ended.stdout.contains(": 1 ok, 1 unfinished, 0.0 % lost\n"), "{ended:?}");
    assert_eq!(ended.status, Some(1));
}

#[test]
fn an_interrupt_ends_a_wait_by_the_signal_with_the_last_verdict() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (server, address) = server();
        let args = [&address, "-m", "x", "--wait", "-W", "10ms"];
        let client = Running::start(UDP_CLIENT, &args);
        // The second attempt is made long after the first one has ended.
        server.recv_from(&mut [0; 1024]).unwrap();
        server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(signal);
        let ended = client.finish();
        let words = format!("udp-client: {address}: no-reply (nothing came back within 10ms)");
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, format!("{words}; trying again").as_str()));
        assert!(lines[1].starts_with(&format!("{words}, for ")), "{lines:?}");
        assert!(lines[1].ends_with(", interrupted"), "{lines:?}");
        assert_eq!(ended.status, None, "ended by the signal");
    }
}

#[test]
fn an_interrupt_ends_a_wait_that_nobody_reads() {
    // A pipe holds 64 KiB: pipe(7). Nothing is said until the signal, and then there is no room.
    for (output, how) in [("1", "-qJ"), ("2", "-q"), ("2", "-qJ")] {
        let (server, address) = server();
        let script = format!(r#"head -c 65536 /dev/zero >&{output}; exec "$0" "$@""#);
        let args = ["-c", &script, UDP_CLIENT, &address, how];
        let client =
            Running::start("sh", &[&args[..], &["-m", "x", "--wait", "-W", "10ms"]].concat());
        server.recv_from(&mut [0; 1024]).unwrap();
        server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(Signal::SIGTERM);
        assert_eq!(client.end_unread(), None, "{output} {how:?}: ended by the signal");
    }
}

#[test]
fn a_run_ends_when_its_reader_has_gone_from_a_full_pipe() {
    let (server, address) = server();
    // The reader reads nothing before its end: the pipe is full long before.
    let script = r#""$0" "$1" -c 100000 -i 1ms --json | sleep 2; echo "${PIPESTATUS[0]}""#;
    let mut command = quiet_command("bash");
    command.args(["-c", script, UDP_CLIENT, &address]).stdout(Stdio::piped());
    let shell = command.spawn().unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut served = 0;
    // Its end is after 2 s, when some 2,000 have been sent.
    while let Ok((_, peer)) = server.recv_from(&mut [0; 1024]) {
        server.send_to(OK, peer).unwrap();
        served += 1;
        assert!(served < 8_000, "the client goes on without a reader");
        server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    }
    let ended = shell.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "1\n");
}

#[test]
fn an_interrupt_ends_a_prompt_whose_reply_nobody_reads() {
    let (server, address) = server();
    // A pipe holds 64 KiB: pipe(7).
    let mut command = quiet_command("sh");
    let script = r#"head -c 65536 /dev/zero; exec "$@""#;
    command.args(["-c", script, "sh", UDP_CLIENT, &address]);
    let (theirs, mut lines) = pipe().unwrap();
    let client = Running::spawn(command, theirs.into());
    lines.write_all(b"x\n").unwrap();
    let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
    server.send_to(OK, peer).unwrap();
    // For a reader of the reply.
    client.wait_for_poll();
    client.signal(Signal::SIGTERM);
    assert_eq!(client.end_unread(), None, "ended by the signal");
}
