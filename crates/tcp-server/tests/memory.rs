//! What the server does without memory.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use common::descriptors;
use common::testing::{Event, PATIENCE, Reader, Server, quiet_command, skipped};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

/// The connections for which the server has a table from the start: `limits::USUAL`.
const TABLE: usize = 16 * 1024;

/// How many more come. A larger table would take megabytes.
const MORE: usize = 500;

/// After so many silent connections one speaks. Its reply says that all before it are accepted. Each
/// has a line of a kilobyte: in all 3.5 MB of lines, which is less than the 4 MiB that the server
/// keeps where there is memory.
const IN_A_ROW: usize = 8;

/// The memory that is left to the server, beside what the allocator holds (a megabyte or two): for
/// some lines, and far from enough for a larger table.
const LEFT: u64 = 512 * 1024;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn assert_answered(mut stream: &TcpStream) {
    stream.write_all(&[b'x'; 1000]).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "ACK!");
}

/// Whether the server has closed `stream`, on which nothing was sent.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let received = stream.read(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    match received {
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        received => received.unwrap() == 0,
    }
}

#[test]
fn without_memory_silent_connections_and_lines_make_room() {
    descriptors::raise_limit();
    if descriptors::limit() < TABLE + MORE + 100 {
        return skipped("RLIMIT_NOFILE is too low");
    }
    let mut command = quiet_command(TCP_SERVER);
    // It is not for want of time or of places that any is closed.
    command.args(["--listen", "127.0.0.1:0", "--json", "--workers", "1"]);
    command.args(["--read-timeout", "1h", "--max-connections", "100000"]);
    // With glibc each thread may reserve 64 MiB for itself, at some time, which then count as used.
    command.env("MALLOC_ARENA_MAX", "1");
    let mut server = Server::spawn_with(command, 1, Reader::Sleeps);
    // Once one is answered, all has begun that takes memory.
    assert_answered(&connect(&server));
    if !server.limit_memory(LEFT) {
        return;
    }
    let mut silent = Vec::new();
    while silent.len() < TABLE + MORE {
        silent.extend((0..IN_A_ROW).map(|_| connect(&server)));
        assert_answered(&connect(&server));
    }
    let evicted = silent.iter().take_while(|stream| is_closed(stream)).count();
    assert!(evicted >= MORE, "{evicted} evicted");
    assert!(!silent[evicted..].iter().any(is_closed), "the oldest are evicted, and no others");
    assert_answered(silent.last().unwrap());

    server.wake_reader();
    let (mut printed, mut missing) = (0, 0);
    while missing == 0 {
        let event = server.event();
        match event.name() {
            "accepted" | "received" | "evicted" => printed += 1,
            "missing" => missing = event.number("lines"),
            _ => panic!("{event:?}"),
        }
    }
    let (status, rest) = server.stop();
    assert_eq!((status, rest.len()), (Some(0), 1), "{rest:?}");
    let totals = Event::as_documented(&rest[0], "tcp-server");
    let of = |total| totals.number(total);
    assert_eq!(of("evicted"), evicted as u64);
    assert_eq!(of("connections"), silent.len() as u64 + of("exchanges") - 1, "the newest twice");
    assert_eq!((of("refused"), of("timed_out"), of("lost")), (0, 0, 0));
    assert_eq!(printed + missing, of("connections") + of("exchanges") + of("evicted"));
}
