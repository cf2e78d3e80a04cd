//! `--count` and `--idle-exit`, workers, the service manager, and JSON.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{
    Event, PATIENCE, Reader, Server, ServiceManager, quiet_command, run, run_with,
};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn command(args: &[&str]) -> Command {
    let mut command = quiet_command(TCP_SERVER);
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    command
}

fn start(args: &[&str]) -> Server {
    Server::spawn(command(args), 1)
}

fn exchange(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn messages_of_a_conversation_count_too() {
    let server = start(&["--conversation", "--count", "2"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    for _ in 0..2 {
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
    }
    assert_eq!(stream.read(&mut [0; 4]).unwrap(), 0);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn nobody_came() {
    let args = ["--listen", "127.0.0.1:0", "--idle-exit", "100ms"];
    let ended = run(TCP_SERVER, &args);
    assert_eq!(ended.stderr, "tcp-server: --idle-exit: nobody came in 100ms\n");
    assert_eq!(ended.status, Some(1));
    let ended = run(TCP_SERVER, &[&args[..], &["--count", "3"]].concat());
    let line = "tcp-server: --count 3: 0 exchanges, and then nobody for 100ms\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(1)));
}

#[test]
fn somebody_came_and_then_nobody() {
    let server = start(&["--idle-exit", "300ms"]);
    let begun = Instant::now();
    assert_eq!(exchange(server.address()), "ACK!");
    assert_eq!(server.finish().0, Some(0));
    assert!(begun.elapsed().as_millis() >= 300);
    // One exchange of two is a failure.
    let server = start(&["--idle-exit", "300ms", "--count", "2"]);
    assert_eq!(exchange(server.address()), "ACK!");
    assert_eq!(server.finish().0, Some(1));
}

#[test]
fn each_arrival_postpones_the_end() {
    let server = start(&["--idle-exit", "500ms", "--conversation"]);
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // A conversation that lasts twice as long, without any new connection.
    while begun.elapsed().as_millis() < 1000 {
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
    }
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn whoever_comes_while_the_process_is_stopped_counts() {
    let server = start(&["--idle-exit", "1s", "--count", "2"]);
    server.signal(Signal::SIGSTOP);
    let mut first = TcpStream::connect(server.address()).unwrap();
    first.write_all(b"hello").unwrap();
    thread::sleep(Duration::from_millis(1200));
    server.signal(Signal::SIGCONT);
    first.read_exact(&mut [0; 4]).unwrap();
    drop(first);
    assert_eq!(exchange(server.address()), "ACK!", "the server goes on");
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn after_a_signal_the_goal_is_not_missed() {
    let server = start(&["--idle-exit", "1h", "--count", "7"]);
    assert_eq!(server.stop().0, Some(0));
    // Not even if nobody comes while the server waits for the last peer to close.
    let server = start(&["--idle-exit", "500ms", "--count", "7"]);
    let mut lingering = TcpStream::connect(server.address()).unwrap();
    lingering.write_all(b"hello").unwrap();
    lingering.read_exact(&mut [0; 4]).unwrap();
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_witness_reports_what_it_saw() {
    let server = start(&["--witness"]);
    for n in 1..=3 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"who am I?").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let us = stream.local_addr().unwrap();
        let (host, rest) = reply.split_once(' ').unwrap();
        let name = host.strip_prefix("host=").unwrap();
        assert_eq!(name, nix::unistd::gethostname().unwrap().to_str().unwrap());
        assert_eq!(rest, format!("peer={us} n={n}"));
    }
}

#[test]
fn totals_are_printed_again_and_again() {
    let mut server = start(&["--stats", "50ms"]);
    assert_eq!(exchange(server.address()), "ACK!");
    for _ in 0..3 {
        server.wait_for("[*] So far: 1 connection, 1 exchange, 5 bytes in, 4 out");
    }
}

#[test]
fn several_workers_share_a_port_a_count_and_an_end() {
    let mut server = start(&["--workers", "4", "--count", "200", "--json"]);
    let address = server.address();
    let clients: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || (0..50).for_each(|_| assert_eq!(exchange(address), "ACK!"))))
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(server.wait_for_event("stopped").number("exchanges"), 200);
    assert_eq!(server.finish().0, Some(0));
}

#[test]
fn a_server_with_workers_does_not_share_its_port_with_another_server() {
    let server = start(&["--workers", "2"]);
    let address = server.address().to_string();
    let second = run(TCP_SERVER, &["--workers", "2", "--listen", &address]);
    assert_eq!(second.stderr, format!("tcp-server: {address}: address already in use\n"));
    assert_eq!(second.status, Some(2));
}

#[test]
fn the_service_managers_sockets_are_taken() {
    let Some((command, address)) = ServiceManager::activate(&[], TCP_SERVER) else {
        return;
    };
    // Whoever comes first starts the server.
    let first = ServiceManager::first_connection(address);
    let server = Server::spawn(command, 1);
    assert_eq!(server.listening_on(), [address]);
    assert_eq!(first.join().unwrap(), "ACK!");
    assert_eq!(exchange(address), "ACK!");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_socket_of_another_kind_is_refused() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    // A connection, opened by Bash. inetd, and systemd with `Accept=yes`, pass one.
    let connection = format!("<>/dev/tcp/127.0.0.1/{}", peer.local_addr().unwrap().port());
    for (socket, reason) in [
        ("</dev/null", "not a listening TCP socket"),
        (&connection, "a connection, and not a listening socket"),
        ("<&0", "a socket that does not listen, and not a listening socket"),
    ] {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let mut command = quiet_command("bash");
        let script = format!(r#"exec 3{socket}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0""#);
        command.args(["-c", &script, TCP_SERVER]);
        let ended = run_with(command, OwnedFd::from(bound).into());
        let line = format!("tcp-server: LISTEN_FDS=1, descriptor 3: {reason}\n");
        assert_eq!((ended.stderr, ended.status), (line, Some(2)));
    }
}

/// The events of three runs, with as many kinds of events as can be caused here.
fn events() -> Vec<Event> {
    let server = start(&["-Jv", "--max-connections", "1", "--read-timeout", "300ms"]);
    let address = server.address();
    assert_eq!(exchange(address), "ACK!");
    let mut silent = TcpStream::connect(address).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0, "timed out");
    let mut oldest = TcpStream::connect(address).unwrap();
    let reset = TcpStream::connect(address).unwrap();
    assert_eq!(oldest.read(&mut [0; 1]).unwrap(), 0, "evicted");
    socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
    drop(reset);
    let mut all = server.stop().1;
    // While one connection lingers, another one is refused.
    let server = start(&["-Jv", "--max-connections", "1"]);
    let mut lingering = TcpStream::connect(server.address()).unwrap();
    lingering.write_all(b"\"quoted\" \\ \xff\x1b\n").unwrap();
    lingering.read_exact(&mut [0; 4]).unwrap();
    let mut refused = TcpStream::connect(server.address()).unwrap();
    assert_eq!(refused.read(&mut [0; 1]).unwrap(), 0);
    drop(lingering);
    all.extend(server.stop().1);
    // Of two messages that are there at once, one is enough.
    let server = start(&["-Jv", "--count", "1"]);
    server.signal(Signal::SIGSTOP);
    let mut streams = [0; 2].map(|_| TcpStream::connect(server.address()).unwrap());
    streams.iter_mut().for_each(|stream| stream.write_all(b"hello").unwrap());
    server.signal(Signal::SIGCONT);
    streams.iter_mut().for_each(|stream| drop(stream.read_to_end(&mut Vec::new())));
    drop(streams);
    all.extend(server.finish().1);
    all.iter().map(|line| Event::parse(line)).collect()
}

#[test]
fn json_is_as_documented() {
    let documented = common::testing::documented("tcp-server");
    let mut seen = BTreeSet::from(["listening".to_owned()]);
    for event in events() {
        let fields = documented.get(event.name());
        assert_eq!(Some(&event.fields()), fields, "{event:?}");
        seen.insert(event.name().to_owned());
    }
    let hard_to_cause = [
        "cannot_accept",
        "cannot_notify",
        "cannot_set",
        "gone_before_accept",
        "missing",
        "stats",
        "failure",
    ];
    let missing: Vec<_> = documented
        .keys()
        .filter(|&name| !seen.contains(name) && !hard_to_cause.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_failure_whose_json_nobody_reads_ends_the_server_all_the_same() {
    let args = ["--json", "--count", "9999", "--idle-exit", "1s", "-l", "127.0.0.1:0"];
    let mut command = quiet_command(TCP_SERVER);
    command.args(args);
    let server = Server::spawn_with(command, 1, Reader::Sleeps);
    // Their lines are more than a pipe holds.
    for _ in 0..700 {
        assert_eq!(exchange(server.address()), "ACK!");
    }
    assert_eq!(server.finish().0, Some(1));
}

#[test]
fn a_failure_is_json_too() {
    let args =
        ["--json", "-D", "--listen", "127.0.0.1:0", "--idle-exit", "50ms", "--stats", "10ms"];
    let ended = run(TCP_SERVER, &args);
    let events: Vec<_> = ended.stdout.lines().map(Event::parse).collect();
    let (failure, others) = events.split_last().unwrap();
    assert_eq!(failure.name(), "failure");
    assert_eq!(failure.number("exit_status"), 1);
    assert!(others.iter().any(|event| event.name() == "stats"));
    for event in &events {
        assert!(event.text("time").ends_with('Z'), "{event:?}");
    }
    // Also before there is a transcript.
    let ended = run(TCP_SERVER, &["--json", "-D", "--listen", "192.0.2.1:0"]);
    let failure = Event::parse(&ended.stdout);
    assert_eq!((failure.name(), failure.number("exit_status")), ("failure", 2));
    assert!(failure.text("time").ends_with('Z'), "{failure:?}");
}
