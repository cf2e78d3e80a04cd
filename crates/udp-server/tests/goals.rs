//! `--count` and `--idle-exit`, workers, the service manager, and JSON.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::protocol::UDP_REPLY;
use common::testing::{
    Event, Finished, PATIENCE, Reader, Server, ServiceManager, documented, quiet_command, run,
    run_with,
};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

fn command(args: &[&str]) -> Command {
    let mut command = quiet_command(UDP_SERVER);
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    command
}

fn start(args: &[&str]) -> Server {
    Server::spawn(command(args), 1)
}

fn client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket
}

fn exchange(client: &UdpSocket) -> String {
    client.send(b"hello").unwrap();
    let mut reply = [0; 1024];
    let len = client.recv(&mut reply).unwrap();
    String::from_utf8(reply[..len].to_vec()).unwrap()
}

#[test]
fn nobody_came() {
    let args = ["--listen", "127.0.0.1:0", "--idle-exit", "100ms"];
    let ended = run(UDP_SERVER, &args);
    assert_eq!(ended.stderr, "udp-server: --idle-exit: nobody came in 100ms\n");
    assert_eq!(ended.status, Some(1));
    let ended = run(UDP_SERVER, &[&args[..], &["--count", "3"]].concat());
    let line = "udp-server: --count 3: 0 exchanges, and then nobody for 100ms\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(1)));
}

#[test]
fn somebody_came_and_then_nobody() {
    let server = start(&["--idle-exit", "300ms"]);
    let begun = Instant::now();
    let client = client(server.address());
    let mut last = begun;
    // Each datagram postpones the end.
    while begun.elapsed() < Duration::from_millis(600) {
        last = Instant::now();
        assert_eq!(exchange(&client), UDP_REPLY);
    }
    assert_eq!(server.finish().0, Some(0));
    // The server has waited for all of the 300 ms after the last datagram, which was sent
    // after `last`.
    assert!(last.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_datagram_that_is_not_answered_counts_as_an_arrival() {
    let server = start(&["--idle-exit", "300ms"]);
    client(server.address()).send(UDP_REPLY.as_bytes()).unwrap();
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn whoever_comes_while_the_process_is_stopped_counts() {
    let server = start(&["--idle-exit", "1s", "--count", "2"]);
    let client = client(server.address());
    server.signal(Signal::SIGSTOP);
    client.send(b"hello").unwrap();
    thread::sleep(Duration::from_millis(1200));
    server.signal(Signal::SIGCONT);
    client.recv(&mut [0; 64]).unwrap();
    assert_eq!(exchange(&client), UDP_REPLY, "it goes on");
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn a_witness_reports_what_it_saw() {
    let server = start(&["--witness"]);
    let client = client(server.address());
    let us = client.local_addr().unwrap();
    for n in 1..=3 {
        let reply = exchange(&client);
        assert!(reply.starts_with("host="), "{reply}");
        assert!(reply.ends_with(&format!(" peer={us} n={n} dscp=0")), "{reply}");
    }
}

#[test]
fn replies_that_may_amplify_are_warned_of() {
    let warning = "[!] A reply of up to 68 bytes goes out for a request of 28 on the wire: \
                   --rate keeps that from being abused";
    let long = "x".repeat(40);
    let warned = |args: &[&str]| {
        let server = Server::start(UDP_SERVER, args);
        server.stop().1.contains(&warning.to_owned())
    };
    assert!(warned(&["-l", "0.0.0.0:0", "--reply", &long]));
    assert!(!warned(&["-l", "0.0.0.0:0", "--reply", &long, "--rate", "9"]), "it is limited");
    assert!(!warned(&["-l", "127.0.0.1:0", "--reply", &long]), "nobody else can reach it");
    assert!(!warned(&["-l", "0.0.0.0:0"]), "the tutorial's reply is short enough");
}

#[test]
fn totals_are_printed_again_and_again() {
    let mut server = start(&["--stats", "50ms"]);
    assert_eq!(exchange(&client(server.address())), UDP_REPLY);
    for _ in 0..3 {
        server.wait_for("[*] So far: 1 datagram, 1 exchange, 5 bytes in, 19 out");
    }
}

#[test]
fn several_workers_share_a_port_a_rate_and_an_end() {
    let mut server = start(&["--workers", "4", "--rate", "50", "--json"]);
    let begun = Instant::now();
    // Forty ports of one address: each worker serves some of them.
    let clients: Vec<_> = (0..40).map(|_| client(server.address())).collect();
    for client in &clients {
        (0..10).for_each(|_| assert_eq!(client.send(b"hello").unwrap(), 5));
    }
    (0..400).for_each(|_| drop(server.wait_for_event("received")));
    let totals = Event::parse(server.stop().1.last().unwrap());
    let most = 100 + begun.elapsed().as_millis() / 20 + 1;
    let exchanges = totals.number("exchanges");
    assert!((100..=most).contains(&u128::from(exchanges)), "{exchanges} of at most {most}");
    assert_eq!(totals.number("dropped_rate"), 400 - exchanges);
}

#[test]
fn a_server_with_workers_does_not_share_its_port_with_another_server() {
    let server = start(&["--workers", "2"]);
    let address = server.address().to_string();
    let second = run(UDP_SERVER, &["--workers", "2", "--listen", &address]);
    assert_eq!(second.stderr, format!("udp-server: {address}: address already in use\n"));
    assert_eq!(second.status, Some(2));
}

#[test]
fn the_service_manager_is_notified() {
    let manager = ServiceManager::start();
    let mut command = command(&["--count", "1"]);
    manager.supervise(&mut command);
    let server = Server::spawn(command, 1);
    assert_eq!(manager.notification(), "READY=1");
    assert_eq!(exchange(&client(server.address())), UDP_REPLY);
    assert_eq!(manager.notification(), "STOPPING=1", "--count is reached");
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn the_service_managers_sockets_are_taken() {
    let Some((command, address)) = ServiceManager::activate(&["--datagram"], UDP_SERVER) else {
        return;
    };
    // Whoever comes first starts the server.
    let first = ServiceManager::first_datagram(address);
    let server = Server::spawn(command, 1);
    assert_eq!(server.listening_on(), [address]);
    assert_eq!(first.join().unwrap(), UDP_REPLY);
    assert_eq!(exchange(&client(address)), UDP_REPLY);
    assert_eq!(server.stop().0, Some(0));
}

/// How a server ends that is given `socket` as if by the service manager.
fn passed(socket: OwnedFd) -> Finished {
    let mut command = quiet_command("sh");
    let script = r#"exec 3<&0; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --idle-exit 10ms"#;
    command.args(["-c", script, UDP_SERVER]);
    run_with(command, socket.into())
}

#[test]
fn a_socket_of_another_kind_is_refused() {
    let unbound = || Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    let bound = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = unbound();
    connected.connect(&bound.local_addr().unwrap().into()).unwrap();
    let nothing = std::fs::File::open("/dev/null").unwrap();
    for (socket, reason) in [
        (nothing.into(), "not a UDP socket"),
        (unbound().into(), "not bound to a port"),
        (connected.into(), "connected: it would hear one peer alone"),
    ] {
        let ended = passed(socket);
        let line = format!("udp-server: LISTEN_FDS=1, descriptor 3: {reason}\n");
        assert_eq!((ended.stderr, ended.status), (line, Some(2)));
    }
    assert_eq!(passed(bound.into()).stderr, "udp-server: --idle-exit: nobody came in 10ms\n");
}

#[test]
fn json_is_as_documented() {
    let mut server =
        Server::start(UDP_SERVER, &["-Jv", "-l", "0.0.0.0:0", "--reply", "a reply that is long"]);
    let client = client(server.address());
    client.send(b"\"quoted\" \\ \xff\x1b\n").unwrap();
    client.send(UDP_REPLY.as_bytes()).unwrap();
    let mut events: Vec<_> = (0..4).map(|_| server.event()).collect();
    events.extend(server.stop().1.iter().map(|line| Event::parse(line)));
    let documented = documented("udp-server");
    let mut seen = BTreeSet::from(["listening".to_owned()]);
    for event in events {
        assert_eq!(Some(&event.fields()), documented.get(event.name()), "{event:?}");
        seen.insert(event.name().to_owned());
    }
    let hard_to_have = [
        "cannot_notify",
        "cannot_receive",
        "cannot_set",
        "failure",
        "missing",
        "stats",
        "unanswered",
    ];
    let missing: Vec<_> = documented
        .keys()
        .filter(|&name| !seen.contains(name) && !hard_to_have.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_reader_that_goes_away_leaves_what_was_to_be_shown_unshown() {
    for (option, expected) in [("--count=3", 1), ("--idle-exit=1h", 2), ("--workers=2", 0)] {
        let mut command = quiet_command(UDP_SERVER);
        command.args(["--listen", "127.0.0.1:0", "--stats", "20ms", option]);
        let server = Server::spawn_with(command, 1, Reader::Leaves);
        assert_eq!(server.finish().0, Some(expected), "{option}");
    }
}
