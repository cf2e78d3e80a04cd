//! What the client inherits from whoever starts it: signals, and limits.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::io::{Write, pipe};
use std::net::TcpListener;

use common::testing::{NamelessFile, Running, quiet_command, run_command, run_with, with_blocked};
use nix::sys::signal::Signal;

use counterpart::{TCP_CLIENT, answer, reserved, server};

#[test]
fn signals_that_were_blocked_at_the_start_end_the_client() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let client = with_blocked(signal, || Running::start(TCP_CLIENT, &[&address]));
        let (_stream, _) = listener.accept().unwrap();
        client.signal(signal);
        assert_eq!(client.finish().status, None, "ended by the signal");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_an_output_that_cannot_be_written() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let mut command = quiet_command("sh");
    let script = r#"ulimit -f 0; exec "$0" "$1" >&0"#;
    command.args(["-c", script, TCP_CLIENT, &address.to_string()]);
    let ended = run_with(command, NamelessFile::new().stdio());
    let line = "tcp-client: standard output: file too large\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(1)));
}

#[test]
fn with_too_few_descriptors_a_client_says_so_and_does_not_begin() {
    for limit in 4..=12 {
        for host in ["127.0.0.1", "localhost"] {
            for args in [&[][..], &["-c", "2", "-i", "10ms"], &["--wait", "-w", "5s"], &["--json"]]
            {
                let mut command = quiet_command("sh");
                let script = format!(r#"ulimit -n {limit}; exec "$0" "$@""#);
                command.args(["-c", &script, TCP_CLIENT, &format!("{host}:1")]).args(args);
                let ended = run_command(command, b"x\n");
                let line = "tcp-client: descriptors: too many open files (at most ";
                assert!(ended.stderr.starts_with(line), "{limit}, {args:?}: {ended:?}");
                assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(2)), "{args:?}");
            }
        }
    }
}

#[test]
fn a_signal_ends_a_client_that_waits_for_a_reader_of_standard_error() {
    let (_held, nobody) = reserved();
    for options in ["", "--json", "--count 2 -i 1ms"] {
        let (_reader, mut full) = pipe().unwrap();
        // As much as a pipe holds, pipe(7).
        full.write_all(&[b'x'; 65536]).unwrap();
        let mut command = quiet_command("sh");
        let script = format!(r#"exec "$0" "$1" {options} 2>&0 </dev/null"#);
        command.args(["-c", &script, TCP_CLIENT, &nobody.to_string()]);
        let client = Running::spawn(command, full.into());
        client.wait_for_poll();
        client.signal(Signal::SIGTERM);
        assert_eq!(client.finish().status, None, "ended by the signal: {options}");
    }
}
