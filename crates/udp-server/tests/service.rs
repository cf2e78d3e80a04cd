//! Where the server listens, what does not stop it, and how it stops.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};

use common::testing::{PATIENCE, Server, quiet_command, run};
use nix::sys::signal::Signal;

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

fn start() -> Server {
    Server::start(UDP_SERVER, &["--listen", "127.0.0.1:0"])
}

fn is_answered(address: SocketAddr) -> bool {
    let any = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(address).unwrap();
    socket.send(b"hello").unwrap();
    let mut reply = [0; 64];
    socket.recv(&mut reply).is_ok_and(|len| &reply[..len] == b"Recvice message ok!")
}

#[test]
fn several_addresses_at_once() {
    let mut command = quiet_command(UDP_SERVER);
    command.args(["-l", "127.0.0.1:0", "--listen", "[::1]:0", "-l127.0.0.2:0"]);
    let server = Server::spawn(command, 3);
    for &address in server.listening_on() {
        assert!(is_answered(address), "{address}");
    }
}

#[test]
fn of_a_reply_that_is_given_again_the_last_one_counts() {
    let replies = ["--reply", "no", "--reply", "Recvice message ok!"];
    let server = Server::start(UDP_SERVER, &[&replies[..], &["-l", "127.0.0.1:0"]].concat());
    assert!(is_answered(server.address()));
}

#[test]
fn a_port_alone_takes_both_families() {
    let mut server = Server::start(UDP_SERVER, &["--listen", ":0"]);
    let port = server.address().port();
    for ip in ["127.0.0.1", "::1"] {
        assert!(is_answered(SocketAddr::new(ip.parse().unwrap(), port)), "{ip}");
        // An IPv4 peer is shown as such.
        let line = server.wait_for("Received from: ");
        let peer: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(peer.ip().to_string(), ip);
    }
}

#[test]
fn a_reply_to_a_closed_port_does_not_stop_the_server() {
    let server = start();
    for _ in 0..100 {
        // The client is gone before the reply, which meets a closed port.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"and gone", server.address()).unwrap();
    }
    assert!(is_answered(server.address()));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn many_clients_at_once() {
    let server = start();
    let clients: Vec<_> = (0..200).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for client in &clients {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_to(b"hello", server.address()).unwrap();
    }
    for client in &clients {
        let (_, from) = client.recv_from(&mut [0; 64]).unwrap();
        assert_eq!(from, server.address());
    }
}

#[test]
fn signals_stop_the_server_in_order() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let server = start();
        server.signal(signal);
        let (status, lines) = server.finish();
        assert_eq!(
            lines.last().unwrap(),
            "[*] Stopped: 0 datagrams, 0 exchanges, 0 bytes in, 0 out"
        );
        assert_eq!(status, Some(0), "{signal}");
    }
}

#[test]
fn signals_that_come_together_are_one_request() {
    for second in [Signal::SIGINT, Signal::SIGHUP].repeat(20) {
        let server = start();
        server.signal(Signal::SIGTERM);
        server.signal(second);
        let (status, lines) = server.finish();
        assert!(lines.last().unwrap().starts_with("[*] Stopped: "), "{second}: {lines:?}");
        assert_eq!(status, Some(0));
    }
}

#[test]
fn datagrams_that_came_before_the_signal_are_answered() {
    let server = start();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Stop the process, so that it cannot see them before the signal.
    server.signal(Signal::SIGSTOP);
    for _ in 0..100 {
        client.send_to(b"just in time", server.address()).unwrap();
    }
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    let (status, lines) = server.finish();
    assert_eq!(
        lines.last().unwrap(),
        "[*] Stopped: 100 datagrams, 100 exchanges, 1200 bytes in, 1900 out"
    );
    assert_eq!(status, Some(0));
}

#[test]
fn an_address_in_use_is_named() {
    let server = start();
    let address = server.address().to_string();
    let second = run(UDP_SERVER, &["--listen", &address]);
    assert_eq!(second.stderr, format!("udp-server: {address}: address already in use\n"));
    assert_eq!((second.status, second.stdout.as_str()), (Some(2), ""));
}

#[test]
fn an_invalid_command_line_gives_one_line_and_status_2() {
    for (args, line) in [
        (&["--bogus"][..], "--bogus: unknown option (see --help)"),
        (&["--replay", "x"], "--replay: unknown option (did you mean --reply?)"),
        (&["-l", "[::1"], "--listen [::1: a ']' is missing"),
        (&["-l", "192.0.2.99:0"], "192.0.2.99:0: cannot assign requested address"),
    ] {
        let ended = run(UDP_SERVER, args);
        assert_eq!(ended.stderr, format!("udp-server: {line}\n"));
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{args:?}");
    }
}

#[test]
fn help_and_version() {
    let help = run(UDP_SERVER, &["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("--listen <ADDR>"), "{}", help.stdout);
    assert!(help.stdout.lines().all(|line| line.len() <= 100), "{}", help.stdout);
    let version = run(UDP_SERVER, &["-V"]);
    assert_eq!(version.stdout, concat!("udp-server ", env!("CARGO_PKG_VERSION"), "\n"));
}
