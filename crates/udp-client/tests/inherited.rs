//! What the client inherits from whoever starts it: signals, and limits.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write, pipe};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use common::testing::{NamelessFile, Running, quiet_command, run_command, run_with, with_blocked};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn signals_that_were_blocked_at_the_start_end_the_client() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().to_string();
        let start = || Running::start(UDP_CLIENT, &[&address, "-m", "hello"]);
        let client = with_blocked(signal, start);
        server.recv_from(&mut [0; 1024]).unwrap();
        client.signal(signal);
        assert_eq!(client.finish().status, None, "ended by the signal");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_an_output_that_cannot_be_written() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let answering = thread::spawn(move || {
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        server.send_to(b"Recvice message ok!", peer).unwrap();
    });
    let mut command = quiet_command("sh");
    let script = r#"ulimit -f 0; exec "$0" "$1" -m hello >&0"#;
    command.args(["-c", script, UDP_CLIENT, &address]);
    let ended = run_with(command, NamelessFile::new().stdio());
    let line = "udp-client: standard output: file too large\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(1)));
    answering.join().unwrap();
}

#[test]
fn a_standard_error_that_is_non_blocking_takes_the_reason_when_it_has_room() {
    let (mut reader, writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while (&writer).write(&[b'x'; 1024]).is_ok() {}
    let mut command = quiet_command("sh");
    command.args(["-c", r#"exec "$0" --bogus 2>&0"#, UDP_CLIENT]);
    let client = Running::spawn(command, OwnedFd::from(writer).into());
    client.wait_for_poll();
    let reading = thread::spawn(move || {
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        read
    });
    let ended = client.finish();
    assert_eq!(ended.status, Some(2));
    let line = "udp-client: --bogus: unknown option (see --help)\n";
    assert!(reading.join().unwrap().ends_with(line));
}

#[test]
fn a_signal_ends_a_client_that_waits_for_a_reader_of_standard_error() {
    for options in ["-m hello </dev/null", "-v -m hello </dev/null", "<<end\nhello\nend\n"] {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().to_string();
        let (_reader, mut full) = pipe().unwrap();
        // As much as a pipe holds, pipe(7).
        full.write_all(&[b'x'; 65536]).unwrap();
        let mut command = quiet_command("sh");
        let script = format!(r#"exec "$0" "$1" -W 50ms 2>&0 {options}"#);
        command.args(["-c", &script, UDP_CLIENT, &address]);
        let client = Running::spawn(command, full.into());
        if !options.contains("-v") {
            server.recv_from(&mut [0; 1024]).unwrap();
        }
        client.wait_for_poll();
        client.signal(Signal::SIGTERM);
        assert_eq!(client.finish().status, None, "ended by the signal: {options}");
    }
}

#[test]
fn with_too_few_descriptors_a_client_says_so_and_does_not_begin() {
    for limit in 4..=12 {
        for host in ["127.0.0.1", "localhost"] {
            for args in [
                &[][..],
                &["-m", "x"],
                &["-c", "2", "-i", "10ms"],
                &["-m", "x", "--wait", "-w", "5s"],
                &["-m", "x", "--json"],
            ] {
                let mut command = quiet_command("sh");
                let script = format!(r#"ulimit -n {limit}; exec "$0" "$@""#);
                command.args(["-c", &script, UDP_CLIENT, &format!("{host}:1")]).args(args);
                let ended = run_command(command, b"x\n");
                let line = "udp-client: descriptors: too many open files (at most ";
                assert!(ended.stderr.starts_with(line), "{limit}, {args:?}: {ended:?}");
                assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(2)), "{args:?}");
            }
        }
    }
}
