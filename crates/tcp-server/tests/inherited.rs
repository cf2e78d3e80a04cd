//! What the server inherits from whoever starts it: signals, and limits.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write, pipe};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use common::testing::{
    NamelessFile, Server, ServiceManager, quiet_command, run_command, run_with, with_blocked,
};
use nix::sys::signal::Signal;

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn exchange(address: SocketAddr, message: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(message).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Starts the server in a shell that runs `first`.
fn start_after(first: &str) -> Server {
    let mut command = quiet_command("sh");
    let script = format!(r#"{first}; exec "$0" --listen 127.0.0.1:0"#);
    command.args(["-c", &script, TCP_SERVER]);
    Server::spawn(command, 1)
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let server = start_after(r#"trap "" HUP"#);
    server.signal(Signal::SIGHUP);
    // So many exchanges that the signal must have arrived meanwhile.
    for _ in 0..200 {
        assert_eq!(exchange(server.address(), b"still there?"), "ACK!");
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn an_interrupt_that_was_ignored_at_the_start_stops_the_server() {
    let server = start_after(r#"trap "" INT TERM"#);
    server.signal(Signal::SIGINT);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn signals_that_were_blocked_at_the_start_stop_the_server() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let server = with_blocked(signal, || start_after("true"));
        server.signal(signal);
        assert_eq!(server.finish().0, Some(0), "{signal}");
    }
}

#[test]
fn a_limit_on_the_size_of_files_costs_lines_and_not_the_server() {
    let manager = ServiceManager::start();
    let mut command = quiet_command("sh");
    let script = r#"ulimit -f 1; exec "$0" --listen 127.0.0.1:0 --count 40 >&0"#;
    command.args(["-c", script, TCP_SERVER]);
    manager.supervise(&mut command);
    let transcript = NamelessFile::new();
    let ended = thread::scope(|scope| {
        let running = scope.spawn(|| run_with(command, transcript.stdio()));
        assert_eq!(manager.notification(), "READY=1");
        let address = transcript.wait_for_line().rsplit(' ').next().unwrap().parse().unwrap();
        for _ in 0..40 {
            assert_eq!(exchange(address, &[b'x'; 100]), "ACK!");
        }
        running.join().unwrap()
    });
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    assert!(transcript.text().len() <= 1024, "{}", transcript.text());
}

#[test]
fn without_threads_for_all_workers_nothing_is_announced() {
    let manager = ServiceManager::start();
    // There is room for some of their stacks, and not for all; and after the last one for
    // anything between nothing and a stack.
    for kilobytes in (248_000..250_000).step_by(250) {
        let mut command = quiet_command("sh");
        let script = r#"ulimit -v "$1"; exec "$0" --listen 127.0.0.1:0 --workers 200"#;
        command.args(["-c", script, TCP_SERVER, &kilobytes.to_string()]);
        manager.supervise(&mut command);
        let ended = run_command(command, b"");
        // Whether it is found before or when a thread is to start.
        let reasons = ["out of memory", "resource temporarily unavailable"];
        let lines = reasons.map(|reason| format!("tcp-server: --workers: {reason}\n"));
        assert!(lines.contains(&ended.stderr), "{}, {kilobytes} KB", ended.stderr);
        assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(2)));
        assert!(!manager.has_notification());
    }
}

#[test]
fn a_full_pipe_that_nobody_reads_does_not_hold_up_the_end() {
    for (options, status) in
        [("--idle-exit 100ms", 1), ("--idle-exit 100ms --json", 1), ("-l 192.0.2.1", 2)]
    {
        let (_reader, mut writer) = pipe().unwrap();
        // As much as a pipe holds, pipe(7).
        writer.write_all(&[b'x'; 65536]).unwrap();
        let mut command = quiet_command("sh");
        let script = format!(r#"exec "$0" --listen 127.0.0.1:0 {options} >&0 2>&0"#);
        command.args(["-c", &script, TCP_SERVER]);
        assert_eq!(run_with(command, writer.into()).status, Some(status), "{options}");
    }
}
