//! SIGQUIT (Ctrl-\) asks a run for its figures so far, and ends nothing but what is no run.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::pipe;
use std::net::UdpSocket;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::testing::{Event, PATIENCE, Running, Terminal, quiet_command};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// A socket, and its address.
fn server() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A client that has ended sends nothing more.
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

/// Answers so many datagrams.
fn answer(server: &UdpSocket, count: u32) {
    for _ in 0..count {
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        // The client may have ended meanwhile.
        let _ = server.send_to(OK, peer);
    }
}

/// Starts the client in a shell that does `first`. It leaves no core.
fn started(first: &str, args: &[&str]) -> Running {
    let script = format!(r#"ulimit -c 0; {first}exec "$0" "$@""#);
    let mut command = quiet_command("sh");
    command.args(["-c", &script, UDP_CLIENT]).args(args);
    Running::spawn(command, Stdio::null())
}

/// How many probes had been sent when each of these lines was said.
fn sent(lines: &str) -> Vec<u64> {
    let sent = |line: &str| line.split(" sent in ").next().unwrap().parse().unwrap();
    lines.lines().map(sent).collect()
}

#[test]
fn a_run_that_is_asked_says_a_line_and_goes_on() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-c", "0", "-i", "20ms", "-q"]);
    for _ in 0..2 {
        // By the time of the fifth probe, the loop has seen the signal before.
        answer(&server, 5);
        client.signal(Signal::SIGQUIT);
    }
    answer(&server, 5);
    client.signal(Signal::SIGINT);
    let answering = thread::spawn(move || answer(&server, u32::MAX));
    let ended = client.finish();
    let sent = sent(&ended.stderr);
    assert!(sent.len() == 2 && sent[0] >= 5 && sent[1] >= 10, "{ended:?}");
    for line in ended.stderr.lines() {
        assert!(
            line.contains(" ok, ") && line.contains(" 0.0 % lost, p50 ") && line.ends_with(" ms"),
            "{line}"
        );
        assert!(line.len() < 80, "{line}");
    }
    assert!(ended.stdout.contains(" sent in ") && ended.status == Some(0), "{ended:?}");
    drop(answering);
}

#[test]
fn a_program_that_asks_has_an_object_with_the_figures() {
    for quiet in ["-q", "-qq"] {
        let (server, address) = server();
        let args = [&*address, "-c", "0", "-i", "20ms", "--json", quiet];
        let client = Running::start(UDP_CLIENT, &args);
        for _ in 0..2 {
            answer(&server, 5);
            client.signal(Signal::SIGQUIT);
        }
        answer(&server, 5);
        client.signal(Signal::SIGTERM);
        thread::spawn(move || answer(&server, u32::MAX));
        let ended = client.finish();
        let event = |line| Event::as_documented(line, "udp-client");
        let events: Vec<_> = ended.stdout.lines().map(event).collect();
        let names: Vec<_> = events.iter().map(Event::name).collect();
        assert_eq!(names, ["progress", "progress", "summary"]);
        let ok: Vec<_> = events.iter().map(|event| event.number("ok")).collect();
        assert!(ok[0] >= 4 && ok[1] >= 9 && ok[2] >= 15 && ok.is_sorted(), "{ok:?}");
        assert_eq!(events[0].text("begin"), events[2].text("begin"));
        assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    }
}

#[test]
fn what_is_no_run_is_ended() {
    let (server, address) = server();
    for args in [&["-m", "hello"][..], &["-m", "hello", "--wait"], &[]] {
        let (reader, _writer) = pipe().unwrap();
        let mut command = quiet_command("sh");
        let script = r#"ulimit -c 0; exec "$0" "$@""#;
        command.args(["-c", script, UDP_CLIENT, &address]).args(args);
        let client = Running::spawn(command, reader.into());
        match args {
            [] => client.wait_for_poll(),
            _ => drop(server.recv_from(&mut [0; 1024]).unwrap()),
        }
        client.signal(Signal::SIGQUIT);
        let ended = client.finish();
        assert_eq!((ended.status, ended.stderr.as_str()), (None, ""), "by the signal: {args:?}");
    }
    // A run whose message is still to come has not begun.
    let (reader, _writer) = pipe().unwrap();
    let mut command = quiet_command("sh");
    let script = r#"ulimit -c 0; exec "$0" "$1" -c 3 -m -"#;
    command.args(["-c", script, UDP_CLIENT, &address]);
    let client = Running::spawn(command, reader.into());
    client.wait_for_poll();
    client.signal(Signal::SIGQUIT);
    assert_eq!(client.finish().status, None);
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let (server, address) = server();
    let client = started("trap '' QUIT; ", &[&address, "-c", "20", "-i", "10ms"]);
    answer(&server, 3);
    client.signal(Signal::SIGQUIT);
    answer(&server, 17);
    let ended = client.finish();
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_signal_that_ends_the_run_and_comes_with_it_is_not_lost() {
    let (server, address) = server();
    let client = Running::start(UDP_CLIENT, &[&address, "-c", "0", "-i", "20ms"]);
    answer(&server, 3);
    client.stop();
    client.signal(Signal::SIGQUIT);
    // Of two that wait, the one with the lower number comes first (signal(7)).
    client.signal(Signal::SIGTERM);
    client.go_on();
    thread::spawn(move || answer(&server, u32::MAX));
    let ended = client.finish();
    assert!(ended.stdout.contains(" sent in ") && ended.status == Some(0), "{ended:?}");
}

#[test]
fn a_run_that_waits_for_its_reader_answers_when_it_goes_on() {
    let (server, address) = server();
    server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    // The lines of -v on standard error are no obstacle.
    let script = r#"exec "$0" "$1" -c 60000 -i 0 -v --json 2>/dev/null"#;
    let client = Running::start("sh", &["-c", script, UDP_CLIENT, &address]);
    // Answer until the client is stuck: some 4 MiB wait for the reader by then.
    while let Ok((_, peer)) = server.recv_from(&mut [0; 1024]) {
        server.send_to(OK, peer).unwrap();
    }
    client.wait_for_poll();
    client.signal(Signal::SIGQUIT);
    thread::spawn(move || {
        while let Ok((_, peer)) = server.recv_from(&mut [0; 1024]) {
            let _ = server.send_to(OK, peer);
        }
    });
    let ended = client.finish();
    let asked = ended.stdout.lines().filter(|line| line.contains(r#""event":"progress""#)).count();
    assert_eq!((asked, ended.status), (1, Some(0)));
}

#[test]
fn the_key_garbles_nothing_where_the_progress_is_drawn() {
    let (server, address) = server();
    let answering = thread::spawn(move || answer(&server, u32::MAX));
    // The terminal has to be the one whose keys are signals.
    let mut command = quiet_command("setsid");
    command.args(["--ctty", UDP_CLIENT, &address, "-c", "0", "-i", "20ms", "-q"]);
    command.env("TERM", "xterm");
    let mut client = Terminal::start(command);
    client.wait_for(" sent: ");
    // Once where it is drawn, and once right after.
    for _ in 0..2 {
        client.press("\x1c");
        let shown = client.wait_for(" ms\r\n");
        let line = shown.rsplit('\r').nth(1).unwrap();
        let line = line.trim_start_matches("\x1b[K");
        assert!(line.contains(" % lost, p50 ") && !line.contains('^'), "{shown:?}");
        assert!(!line.contains('\x1b') && line.split(' ').next().unwrap().parse::<u64>().is_ok());
    }
    client.wait_for(" sent: ");
    client.press("\x03");
    client.wait_for("--- 127.0.0.1:");
    assert_eq!(client.finish().0, Some(0));
    drop(answering);
}
