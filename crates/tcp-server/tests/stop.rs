//! How the server stops.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{
    PATIENCE, Reader, Running, Server, peer, quiet_command, run, run_command, skipped,
};
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn start() -> Server {
    Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"])
}

/// Sends a message, which must be answered.
fn assert_answered(server: &Server) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"still there?").unwrap();
    assert_eq!(reply(&mut stream), "ACK!");
}

/// Reads up to the end, which must not be a reset.
fn reply(stream: &mut TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn signals_stop_the_server_in_order() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let server = start();
        server.signal(signal);
        let (status, lines) = server.finish();
        assert_eq!(lines, ["[*] Stopped: 0 connections, 0 exchanges, 0 bytes in, 0 out"]);
        assert_eq!(status, Some(0), "{signal}");
    }
}

#[test]
fn a_message_that_was_sent_before_the_signal_is_answered() {
    let server = start();
    // Stop the process, so that it cannot see the message before the signal.
    server.signal(Signal::SIGSTOP);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"just in time").unwrap();
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    assert_eq!(reply(&mut stream), "ACK!");
    drop(stream);
    let (status, lines) = server.finish();
    assert_eq!(lines.last().unwrap(), "[*] Stopped: 1 connection, 1 exchange, 12 bytes in, 4 out");
    assert_eq!(status, Some(0));
}

#[test]
fn silent_connections_do_not_hold_up_a_stop() {
    let mut server = start();
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for _ in &silent {
        server.wait_for("Accept connection");
    }
    let (status, lines) = server.stop();
    assert_eq!(lines, ["[*] Stopped: 200 connections, 0 exchanges, 0 bytes in, 0 out; 200 silent"]);
    assert_eq!(status, Some(0));
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "a clean end, without an answer");
    }
}

/// A peer that has its reply and stays: a stop takes half a second.
fn linger(server: &Server) -> TcpStream {
    let mut lingering = TcpStream::connect(server.address()).unwrap();
    lingering.write_all(b"and now I stay").unwrap();
    assert_eq!(reply(&mut lingering), "ACK!");
    lingering
}

/// A peer that sends as long as the server takes it, and reads nothing: a stop takes two
/// seconds.
fn refuse_to_read(server: &Server) -> TcpStream {
    let mut peer = TcpStream::connect(server.address()).unwrap();
    peer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while peer.write_all(&[b'x'; 1024]).is_ok() {}
    peer
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let options = ["--listen", "127.0.0.1:0", "--conversation", "--reply", &"y".repeat(1024)];
    let server = Server::start(TCP_SERVER, &options);
    let _peer = refuse_to_read(&server);
    server.signal(Signal::SIGTERM);
    let patience = Instant::now() + PATIENCE;
    // The server no longer listens, and waits for this peer.
    while TcpStream::connect(server.address()).is_ok() {
        assert!(Instant::now() < patience, "it goes on");
        thread::yield_now();
    }
    // Time has to pass until another signal is another request.
    thread::sleep(Duration::from_millis(250));
    server.signal(Signal::SIGTERM);
    let (status, lines) = server.finish();
    assert_eq!(status, Some(0));
    assert!(!lines.iter().any(|line| line.contains("Stopped")), "{:?}", lines.last());
}

#[test]
fn signals_that_come_together_are_one_request() {
    for second in [Signal::SIGINT, Signal::SIGHUP] {
        let server = start();
        let _peer = linger(&server);
        server.signal(Signal::SIGTERM);
        server.signal(second);
        let (status, lines) = server.finish();
        let totals = "[*] Stopped: 1 connection, 1 exchange, 14 bytes in, 4 out";
        assert_eq!((status, lines.last().unwrap().as_str()), (Some(0), totals), "{second}");
    }
}

#[test]
fn timeout_leaves_time_for_the_totals() {
    let Some(mut command) = peer("timeout", "timeout --version") else {
        return;
    };
    // It signals its child, and then its own group.
    command.args(["0.3", TCP_SERVER, "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(command, 1);
    let _peer = linger(&server);
    let (status, lines) = server.finish();
    assert!(lines.last().unwrap().starts_with("[*] Stopped: "), "{lines:?}");
    assert_eq!(status, Some(124), "timeout's own");
}

#[test]
fn stopping_and_continuing_changes_nothing() {
    let server = start();
    for _ in 0..20 {
        server.signal(Signal::SIGSTOP);
        server.signal(Signal::SIGCONT);
        assert_answered(&server);
    }
    assert_eq!(server.stop().0, Some(0));
}

fn start_with(reader: Reader) -> Server {
    let mut command = quiet_command(TCP_SERVER);
    command.args(["--listen", "127.0.0.1:0"]);
    Server::spawn_with(command, 1, reader)
}

#[test]
fn a_reader_that_goes_away_stops_the_server_in_order() {
    let server = start_with(Reader::Leaves);
    let patience = Instant::now() + PATIENCE;
    // Each connection prints a line that nobody reads. After some the server has ended.
    while TcpStream::connect(server.address()).is_ok() {
        assert!(Instant::now() < patience, "it goes on");
        thread::yield_now();
    }
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn all_are_answered_although_nobody_reads_the_transcript() {
    let server = start_with(Reader::Sleeps);
    // Some 100 bytes for each client are more than a pipe holds.
    for _ in 0..2000 {
        assert_answered(&server);
    }
    // At the end the server does not wait for a reader for ever, either.
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn at_a_stop_messages_are_answered_although_descriptors_run_out() {
    let server = start();
    if !server.limit_descriptors("40") {
        return;
    }
    // Stop the process, so that it sees all of them and the signal at once.
    server.signal(Signal::SIGSTOP);
    let connect = |_| TcpStream::connect(server.address()).unwrap();
    let mut silent: Vec<_> = (0..60).map(connect).collect();
    let mut speaking = silent.split_off(40);
    for stream in &mut speaking {
        stream.write_all(b"hello").unwrap();
    }
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    for mut stream in speaking {
        assert_eq!(reply(&mut stream), "ACK!");
    }
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn a_message_is_answered_although_the_listener_rests_when_the_signal_comes() {
    let mut server = start();
    // Not one more descriptor than the server has: the listener cannot accept.
    if !server.limit_descriptors("3") {
        return;
    }
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"hello").unwrap();
    server.wait_for("[!] Cannot accept for the moment: too many open files");
    assert!(server.limit_descriptors("100"));
    server.signal(Signal::SIGTERM);
    assert_eq!(reply(&mut stream), "ACK!");
    drop(stream);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn without_descriptors_the_server_does_not_start_and_says_why() {
    let mut command = quiet_command("sh");
    let script = r#"ulimit -n 5; exec "$0" --listen 127.0.0.1:0 --max-connections 60"#;
    command.args(["-c", script, TCP_SERVER]);
    let ended = run_command(command, b"");
    assert_eq!(ended.stderr, "tcp-server: event loop: too many open files\n");
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(2)));
}

#[test]
fn with_one_descriptor_for_a_connection_the_server_serves() {
    let mut command = quiet_command("sh");
    // The standard ones, the listener, the event loop with its waker, and one more.
    command.args(["-c", r#"ulimit -n 7; exec "$0" --listen 127.0.0.1:0"#, TCP_SERVER]);
    let server = Server::spawn(command, 1);
    assert_answered(&server);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn an_address_in_use_is_named() {
    let server = start();
    let address = server.address().to_string();
    let second = run(TCP_SERVER, &["--listen", &address]);
    assert_eq!(second.stderr, format!("tcp-server: {address}: address already in use\n"));
    assert_eq!((second.status, second.stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_signal_ends_the_server_while_a_name_is_being_resolved() {
    if !may_have_its_own_mounts() {
        return;
    }
    // The resolver reads resolv.conf(5) to its end, and here it is a FIFO.
    let path = std::env::temp_dir().join(format!("getthrough-resolv-{}", process::id()));
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let script = r#"mount --bind "$0" /etc/resolv.conf; exec "$@""#;
    let args = ["--map-root-user", "--mount", "sh", "-ec", script, path.to_str().unwrap()];
    let command = [TCP_SERVER, "--listen", "getthrough.example:0"];
    let server = Running::start("unshare", &[&args[..], &command].concat());
    let patience = Instant::now() + PATIENCE;
    let open = || File::options().write(true).custom_flags(libc::O_NONBLOCK).open(&path);
    let _unwritten = loop {
        // Nobody can write before somebody reads.
        if let Ok(unwritten) = open() {
            break unwritten;
        }
        assert!(Instant::now() < patience, "the resolver does not read it");
        thread::yield_now();
    };
    fs::remove_file(&path).unwrap();
    server.signal(Signal::SIGTERM);
    let ended = server.finish();
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str(), ended.status), ("", "", Some(0)));
}

/// Whether this machine lets a test mount what no other process sees.
fn may_have_its_own_mounts() -> bool {
    let tried = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        skipped("no namespace of its own (unshare)");
    }
    may
}
