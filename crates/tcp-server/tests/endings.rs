//! The exit status: every way in which a run ends, with every option that makes it an
//! assertion.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use common::testing::{Reader, Server, quiet_command, run_with};
use nix::sys::signal::Signal;

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// SIGTERM.
    Signal,
    /// The reader of standard output goes away. A line that it does not read comes soon.
    NoReader,
    /// `--count` or `--idle-exit`.
    Itself,
}

/// The exit status of a run with these options, in which one peer comes, or none.
fn status(options: &str, comes: bool, end: End) -> Option<i32> {
    let mut command = quiet_command(TCP_SERVER);
    command.args(["--listen", "127.0.0.1:0", "--stats", "20ms"]).args(options.split_whitespace());
    let reader = match end {
        End::NoReader if comes => Reader::LeavesAfter("Received"),
        End::NoReader => Reader::Leaves,
        End::Signal | End::Itself => Reader::Reads,
    };
    let server = Server::spawn_with(command, 1, reader);
    if comes {
        assert_eq!(exchange(server.address()), "ACK!");
    }
    if end == End::Signal {
        server.signal(Signal::SIGTERM);
    }
    server.finish().0
}

fn exchange(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn what_each_end_of_a_run_means() {
    for (options, comes, end, expected) in [
        // A signal is somebody's wish, whatever the options were to assert.
        ("", false, End::Signal, 0),
        ("--count 2", false, End::Signal, 0),
        ("--count 2", true, End::Signal, 0),
        ("--idle-exit 1h", false, End::Signal, 0),
        ("--idle-exit 1h", true, End::Signal, 0),
        ("--idle-exit 1h --count 2", true, End::Signal, 0),
        // The run is over.
        ("--count 1", true, End::Itself, 0),
        ("--idle-exit 1h --count 1", true, End::Itself, 0),
        ("--idle-exit 100ms", false, End::Itself, 1),
        ("--idle-exit 300ms", true, End::Itself, 0),
        ("--idle-exit 100ms --count 2", false, End::Itself, 1),
        ("--idle-exit 300ms --count 2", true, End::Itself, 1),
        // Without a reader the run ends before its time.
        ("", false, End::NoReader, 0),
        ("", true, End::NoReader, 0),
        ("--count 2", false, End::NoReader, 1),
        ("--count 2", true, End::NoReader, 1),
        // Somebody came: that is all that was asked.
        ("--idle-exit 1h", true, End::NoReader, 0),
        // 1 would mean that nobody came in an hour.
        ("--idle-exit 1h", false, End::NoReader, 2),
        ("--idle-exit 1h --count 2", false, End::NoReader, 2),
        ("--idle-exit 1h --count 2", true, End::NoReader, 2),
    ] {
        let ended = status(options, comes, end);
        assert_eq!(ended, Some(expected), "{options}, somebody comes: {comes}, {end:?}");
    }
}

/// Runs a server whose standard output is `stdout`, without anybody who comes. Returns what
/// it says, and its exit status.
fn run_unread(stdout: OwnedFd) -> (String, Option<i32>) {
    let mut command = quiet_command("sh");
    let script = r#"exec "$0" --listen 127.0.0.1:0 --stats 20ms --count 3 >&0"#;
    command.args(["-c", script, TCP_SERVER]);
    let ended = run_with(command, stdout.into());
    (ended.stderr, ended.status)
}

#[test]
fn a_connection_that_nobody_reads_ends_a_run_like_a_pipe() {
    let line = "tcp-server: --count 3: 0 exchanges, and then standard output lost its reader\n";
    let expected = (line.to_owned(), Some(1));
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    assert_eq!(run_unread(theirs.into()), expected);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut ours, _) = listener.accept().unwrap();
    // What is left unread makes the end a reset.
    let reader = thread::spawn(move || ours.read_exact(&mut [0; 1]).unwrap());
    assert_eq!(run_unread(theirs.into()), expected);
    reader.join().unwrap();
}
