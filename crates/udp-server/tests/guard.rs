//! What the server does not answer, and how it answers everything else.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use common::protocol::UDP_REPLY;
use common::testing::{Event, PATIENCE, Server, skipped};
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

fn start(args: &[&str]) -> Server {
    Server::start(UDP_SERVER, &[&["--json", "--listen", "127.0.0.1:0"], args].concat())
}

fn client(from: &str, server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(from)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    Ok(socket)
}

/// A client on a port that the system chooses. It hears only the server.
fn any_client(server: SocketAddr) -> UdpSocket {
    client("127.0.0.1:0", server).unwrap()
}

fn reply(client: &UdpSocket) -> Vec<u8> {
    let mut reply = vec![0; 65536];
    let len = client.recv(&mut reply).unwrap();
    reply.truncate(len);
    reply
}

fn totals(server: Server) -> Event {
    let (status, lines) = server.stop();
    assert_eq!(status, Some(0));
    Event::parse(lines.last().unwrap())
}

#[test]
fn what_a_server_answers_is_not_answered() {
    let server = start(&["--reply", "pong"]);
    let client = any_client(server.address());
    let witness = b"host=b peer=127.0.0.1:6666 n=1";
    for message in [&b"pong"[..], UDP_REPLY.as_bytes(), witness] {
        client.send(message).unwrap();
    }
    client.send(b"hello").unwrap();
    assert_eq!(reply(&client), b"pong");
    let totals = totals(server);
    assert_eq!((totals.number("exchanges"), totals.number("dropped_own_reply")), (1, 3));
}

#[test]
fn unanswered_datagrams_are_warned_of_once_in_a_while() {
    let mut server = start(&[]);
    let client = any_client(server.address());
    for _ in 0..50 {
        client.send(UDP_REPLY.as_bytes()).unwrap();
    }
    let warning = server.wait_for_event("dropped");
    assert_eq!(warning.text("cause"), "own_reply");
    assert_eq!(warning.text("peer"), client.local_addr().unwrap().to_string());
    let (_, lines) = server.stop();
    assert!(!lines.iter().any(|line| Event::parse(line).name() == "dropped"), "{lines:?}");
    assert_eq!(Event::parse(lines.last().unwrap()).number("dropped_own_reply"), 50);
}

#[test]
fn ports_of_services_are_only_answered_if_allowed() {
    // An address that only this process uses, for these ports may be in use on others.
    let [a, b, c, d] = std::process::id().to_be_bytes();
    let host = format!("127.{}.{c}.{d}", a.wrapping_add(b).wrapping_add(100));
    for (port, cause) in [(2049, true), (1023, false)] {
        let port = &format!("{host}:{port}");
        let server = start(&[]);
        let service = match client(port, server.address()) {
            Ok(service) => service,
            Err(error) if !cause && error.kind() == io::ErrorKind::PermissionDenied => {
                return skipped("only root may send from a port below 1024");
            }
            Err(error) => panic!("{port}: {error}"),
        };
        service.send(b"hello").unwrap();
        let client = any_client(server.address());
        client.send(b"hello").unwrap();
        assert_eq!(reply(&client), UDP_REPLY.as_bytes());
        assert_eq!(totals(server).number("dropped_low_port"), 1, "{port}");
        // The same socket: another test that starts a process just now holds a copy of it.
        let server = start(&["--allow-low-ports"]);
        service.connect(server.address()).unwrap();
        service.send(b"hello").unwrap();
        assert_eq!(reply(&service), UDP_REPLY.as_bytes());
    }
}

#[test]
fn each_source_has_a_rate_of_its_own() {
    // Fewer than a receive buffer holds, so that the other source's datagrams arrive.
    const SENT: u64 = 200;
    let server = start(&["--rate", "50"]);
    let begun = Instant::now();
    let greedy = any_client(server.address());
    for _ in 0..SENT {
        greedy.send(b"hello").unwrap();
    }
    let modest = client("127.0.0.2:0", server.address()).unwrap();
    for _ in 0..10 {
        modest.send(b"hello").unwrap();
        assert_eq!(reply(&modest), UDP_REPLY.as_bytes());
    }
    let totals = totals(server);
    let most = 100 + begun.elapsed().as_millis() / 20 + 1;
    let greedy = totals.number("exchanges") - 10;
    assert!((100..=most).contains(&u128::from(greedy)), "{greedy} of at most {most}");
    let counted = totals.number("dropped_rate") + totals.number("dropped_kernel");
    assert_eq!(counted, SENT - greedy);
}

#[test]
fn the_reply_comes_from_the_address_that_was_asked() {
    for listen in ["0.0.0.0:0", ":0"] {
        let server = Server::start(UDP_SERVER, &["--listen", listen]);
        for asked in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
            // A connected socket hears only the address that it asked.
            let client =
                any_client(SocketAddr::new(asked.parse().unwrap(), server.address().port()));
            client.send(b"hello").unwrap();
            assert_eq!(reply(&client), UDP_REPLY.as_bytes(), "{listen} {asked}");
        }
    }
}

#[test]
fn a_burst_of_one_peer_is_answered_one_by_one() {
    for message in ["hello", ""] {
        let server = start(&["--reply", message]);
        let client = any_client(server.address());
        // Stop the server, so that it finds them all at once.
        server.signal(Signal::SIGSTOP);
        for _ in 0..150 {
            client.send(b"hi").unwrap();
        }
        server.signal(Signal::SIGCONT);
        for _ in 0..150 {
            assert_eq!(reply(&client), message.as_bytes());
        }
        assert_eq!(totals(server).number("exchanges"), 150);
    }
}

#[test]
fn each_reply_to_a_burst_has_its_own_number() {
    let server = start(&["--witness"]);
    let client = any_client(server.address());
    server.signal(Signal::SIGSTOP);
    for _ in 0..120 {
        client.send(b"hi").unwrap();
    }
    server.signal(Signal::SIGCONT);
    for n in 1..=120 {
        let reply = String::from_utf8(reply(&client)).unwrap();
        assert!(reply.ends_with(&format!(" n={n} dscp=0")), "{n}: {reply}");
    }
}

#[test]
fn coalesced_datagrams_are_answered_one_by_one() {
    let mut server = start(&[]);
    let client = any_client(server.address());
    // The kernel cuts each of these into several datagrams, the last of them shorter. It
    // hands them over in one piece, for the server accepts that (GRO).
    if setsockopt(&client, UdpGsoSegment, &100).is_err() {
        return skipped("this kernel has no UDP segmentation offload");
    }
    client.send(&[b'x'; 950]).unwrap();
    let lengths: Vec<_> =
        (0..10).map(|_| server.wait_for_event("received").number("bytes")).collect();
    assert_eq!(lengths, [100, 100, 100, 100, 100, 100, 100, 100, 100, 50]);
    for _ in 0..10 {
        assert_eq!(reply(&client), UDP_REPLY.as_bytes());
    }
}

#[test]
fn what_the_kernel_drops_is_counted() {
    let server = start(&[]);
    let client = any_client(server.address());
    server.signal(Signal::SIGSTOP);
    // Many more than a receive buffer holds.
    const SENT: u64 = 3000;
    for _ in 0..SENT {
        client.send(&[b'x'; 1000]).unwrap();
    }
    server.signal(Signal::SIGCONT);
    let totals = totals(server);
    assert!(totals.number("dropped_kernel") > 0);
    assert_eq!(totals.number("datagrams") + totals.number("dropped_kernel"), SENT);
    assert_eq!(totals.number("exchanges"), totals.number("datagrams"));
}
