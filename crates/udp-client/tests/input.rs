//! Standard input: where the lines and the message come from.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Write, pipe};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use common::testing::{Event, Running, Terminal, quiet_command, run_with, run_with_input};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// A socket, and its address.
fn server() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

/// A client with these arguments, and the other side of its standard input: a socket that
/// somebody has made non-blocking.
fn with_nonblocking_input(args: &[&str]) -> (Running, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut command = quiet_command(UDP_CLIENT);
    command.args(args);
    (Running::spawn(command, OwnedFd::from(theirs).into()), ours)
}

#[test]
fn a_non_blocking_standard_input_is_waited_for() {
    let (server, address) = server();
    let (client, mut input) = with_nonblocking_input(&[&address]);
    for line in ["one", "two"] {
        client.wait_for_poll();
        writeln!(input, "{line}").unwrap();
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        server.send_to(OK, peer).unwrap();
    }
    drop(input);
    let ended = client.finish();
    assert_eq!((ended.stdout, ended.stderr.as_str()), ("Recvice message ok!\n".repeat(2), ""));
    assert_eq!(ended.status, Some(0));

    let (client, mut input) = with_nonblocking_input(&[&address, "-m", "-"]);
    for piece in ["one", "two"] {
        client.wait_for_poll();
        input.write_all(piece.as_bytes()).unwrap();
    }
    drop(input);
    let mut message = [0; 1024];
    let (len, peer) = server.recv_from(&mut message).unwrap();
    assert_eq!(&message[..len], b"onetwo");
    server.send_to(OK, peer).unwrap();
    assert_eq!(client.finish().status, Some(0));
}

#[test]
fn without_a_line_there_is_nothing_to_send_and_that_is_no_success() {
    let (_server, address) = server();
    let said = |what| {
        format!(
            "udp-client: standard input: nothing to send: {what} (--message sends without one)\n"
        )
    };
    let (none, empty) = ("no line came", "the first line is empty");
    let inputs = [("", none), ("\n", empty), ("\r\n", empty), ("\nnever sent\n", empty)];
    for (input, what) in inputs {
        let ended = run_with_input(UDP_CLIENT, &[&address], input.as_bytes());
        assert_eq!((ended.stderr, ended.status), (said(what), Some(2)), "{input:?}");
    }
    let mut command = quiet_command(UDP_CLIENT);
    command.args([&address, "-qq", "--json"]);
    let ended = run_with(command, Stdio::null());
    assert_eq!((ended.stderr, ended.status), (said(none), Some(2)));
    assert_eq!(Event::parse(&ended.stdout).number("exit_status"), 2);
    // Whoever sits at a terminal knows that nothing was sent.
    for keys in ["\n", "\x04"] {
        let mut terminal = Terminal::start(quiet_command(UDP_CLIENT));
        terminal.wait_for("> ");
        terminal.press(keys);
        assert_eq!(terminal.finish().0, Some(0));
    }
}

#[test]
fn standard_input_that_cannot_be_read_is_named() {
    let (_server, address) = server();
    for args in [&[address.as_str()][..], &[&address, "-m", "-"]] {
        let mut command = quiet_command(UDP_CLIENT);
        command.args(args);
        let ended = run_with(command, File::open("/").unwrap().into());
        let line = "udp-client: standard input: is a directory\n";
        assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(2)));
    }
}

#[test]
fn the_deadline_holds_while_standard_input_is_read() {
    let (_server, address) = server();
    let line = "udp-client: standard input: \
                not read to its end before the deadline: nothing was sent\n";
    for (args, status) in [(&["-w", "300ms"][..], 2), (&["-w", "300ms", "--wait"], 124)] {
        let mut command = quiet_command(UDP_CLIENT);
        command.args([&address, "-m", "-"]).args(args);
        let (theirs, mut input) = pipe().unwrap();
        let client = Running::spawn(command, theirs.into());
        input.write_all(b"begun").unwrap();
        let ended = client.finish();
        assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(status)));
    }
}

#[test]
fn a_signal_ends_clients_that_share_standard_input() {
    let (server, address) = server();
    let (theirs, mut input) = pipe().unwrap();
    let clients: Vec<_> = (0..40)
        .map(|_| {
            let mut command = quiet_command(UDP_CLIENT);
            command.args([&address, "-qq", "-W", "10ms"]);
            Running::spawn(command, theirs.try_clone().unwrap().into())
        })
        .collect();
    // A line wakes them all, and one gets it.
    clients.iter().for_each(Running::wait_for_poll);
    input.write_all(b"x\n").unwrap();
    server.recv_from(&mut [0; 1024]).unwrap();
    for client in &clients {
        client.signal(Signal::SIGTERM);
    }
    for client in clients {
        assert_eq!(client.finish().status, None, "ended by the signal");
    }
}
