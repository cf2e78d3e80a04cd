//! Where datagrams are sent to: a broadcast address, a group.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use common::protocol::UDP_REPLY;
use common::testing::{PATIENCE, Server, networked, run_command};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

/// How long to wait for a second reply, which must not come.
const MOMENT: Duration = Duration::from_millis(200);

fn start(args: &[&str]) -> Server {
    Server::start(UDP_SERVER, args)
}

/// A client that may send to a broadcast address, and hears everybody.
fn client(from: &str) -> UdpSocket {
    let socket = UdpSocket::bind(from).unwrap();
    socket.set_broadcast(true).unwrap();
    socket
}

/// Who answers a message to `target`. There must be one answer.
fn answerer(client: &UdpSocket, target: SocketAddr) -> SocketAddr {
    client.send_to(b"hello", target).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reply = [0; 64];
    let (len, from) = client.recv_from(&mut reply).unwrap();
    assert_eq!(&reply[..len], UDP_REPLY.as_bytes());
    client.set_read_timeout(Some(MOMENT)).unwrap();
    let second = client.recv_from(&mut reply).map_err(|error| error.kind());
    assert_eq!(second, Err(ErrorKind::WouldBlock), "{target}");
    from
}

#[test]
fn a_subnets_broadcast_address_is_answered_once_and_from_an_address_of_this_machine() {
    for listen in ["0.0.0.0:0", ":0", "127.255.255.255:0"] {
        for workers in ["1", "3"] {
            let server = start(&["--listen", listen, "--workers", workers]);
            let port = server.address().port();
            let broadcast = SocketAddr::from(([127, 255, 255, 255], port));
            let from = answerer(&client("127.0.0.1:0"), broadcast);
            assert_eq!(from, SocketAddr::from(([127, 0, 0, 1], port)), "{listen} {workers}");
        }
    }
}

#[test]
fn a_group_is_joined() {
    for workers in ["1", "3"] {
        let server = start(&["--listen", "239.77.66.55:0", "--workers", workers]);
        let client = client("127.0.0.1:0");
        let options = socket2::SockRef::from(&client);
        options.set_multicast_if_v4(&[127, 0, 0, 1].into()).unwrap();
        let from = answerer(&client, server.listening_on()[0]);
        assert!(from.ip().is_loopback(), "{from}");
    }
}

#[test]
fn a_group_that_cannot_be_joined_everywhere_is_an_error() {
    // More than one socket may join on (igmp_max_memberships).
    let many = "for n in $(seq 13); do ip link add many$n type veth peer name more$n; done";
    let args = ["--listen", "239.77.66.55:7000", "--idle-exit", "10ms"];
    let Some(command) = networked(many, UDP_SERVER, &args) else {
        return;
    };
    let ended = run_command(command, b"");
    let (before, after) = ended.stderr.split_once(" on m").unwrap_or((&ended.stderr, ""));
    assert_eq!(before, "udp-server: 239.77.66.55:7000: cannot join the group");
    let reason = "no buffer space available (see net.ipv4.igmp_max_memberships)\n";
    assert!(after.ends_with(&format!(": {reason}")), "{}", ended.stderr);
    assert_eq!(ended.status, Some(2));
}
