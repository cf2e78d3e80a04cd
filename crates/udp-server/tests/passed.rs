//! Sockets that a service manager passes: what is announced, and in what state they are.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use common::protocol::UDP_REPLY;
use common::testing::{Event, PATIENCE, Server, ServiceManager, run_command, skipped};
use nix::sys::signal::Signal;
use nix::sys::socket::{GetSockOpt, SetSockOpt, getsockopt, setsockopt, sockopt};
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};
use socket2::{Domain, SockRef, Socket, Type};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

sockopt_impl!(
    /// udp(7).
    Cork,
    Both,
    libc::IPPROTO_UDP,
    libc::UDP_CORK,
    bool
);
sockopt_impl!(
    /// socket(7).
    LowWater,
    Both,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    libc::c_int
);
sockopt_impl!(
    /// ip(7).
    MtuDiscovery,
    Both,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int
);

/// A server that is given these sockets; `None` if a tool is missing.
fn start(sockets: &[BorrowedFd<'_>], args: &[&str]) -> Option<Server> {
    let announced = format!("LISTEN_FDS={}", sockets.len());
    let command = ServiceManager::pass(sockets, &announced, UDP_SERVER, args)?;
    Some(Server::spawn(command, sockets.len()))
}

/// Whether `client` has the tutorial's reply to `message`.
fn is_answered(client: &UdpSocket, message: &[u8]) -> bool {
    is_answered_in(PATIENCE, client, message)
}

fn is_answered_in(time: Duration, client: &UdpSocket, message: &[u8]) -> bool {
    client.set_read_timeout(Some(time)).unwrap();
    client.send(message).unwrap();
    let mut reply = [0; 64];
    client.recv(&mut reply).is_ok_and(|len| &reply[..len] == UDP_REPLY.as_bytes())
}

/// Waits until the server has read what its receive buffer holds, which may be full.
fn wait_until_read(server: SocketAddr) {
    let client = client(server);
    let patience = Instant::now() + PATIENCE;
    while !is_answered_in(Duration::from_millis(100), &client, b"hello") {
        assert!(Instant::now() < patience, "nobody answers");
    }
}

fn client(server: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server).unwrap();
    client
}

#[test]
fn what_was_not_passed_is_not_taken() {
    let passed = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (environment, reason) in [
        ("LISTEN_FDS=2", "LISTEN_FDS=2, descriptor 4: not a UDP socket"),
        ("LISTEN_FDS=200000000", "LISTEN_FDS=200000000: not a number from 0 to 1024"),
        ("LISTEN_FDS=2147483647", "LISTEN_FDS=2147483647: not a number from 0 to 1024"),
        ("LISTEN_FDS=4294967297", "LISTEN_FDS=4294967297: not a number from 0 to 1024"),
        ("LISTEN_FDS=one", "LISTEN_FDS=one: not a number from 0 to 1024"),
    ] {
        let args = ["--workers", "2", "--idle-exit", "10ms", "--listen", "127.0.0.1:0"];
        let Some(command) = ServiceManager::pass(&[passed.as_fd()], environment, UDP_SERVER, &args)
        else {
            return;
        };
        let ended = run_command(command, b"");
        assert_eq!(ended.stderr, format!("udp-server: {reason}\n"));
        assert_eq!(ended.status, Some(2), "{environment}");
    }
}

#[test]
fn several_sockets_are_taken() {
    let sockets: Vec<_> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let passed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    let Some(server) = start(&passed, &["--workers", "2"]) else {
        return;
    };
    for (&address, socket) in server.listening_on().iter().zip(&sockets) {
        assert_eq!(address, socket.local_addr().unwrap());
        assert!(is_answered(&client(address), b"hello"), "{address}");
    }
}

#[test]
fn the_reply_comes_from_the_address_that_was_asked_although_drops_are_reported_too() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    setsockopt(&socket, sockopt::RxqOvfl, &1).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    // More than the receive buffer holds: from now on the kernel reports drops.
    let flood = client(([127, 0, 0, 1], port).into());
    for _ in 0..2000 {
        flood.send(&[b'x'; 1000]).unwrap();
    }
    drop(flood);
    let Some(_server) = start(&[socket.as_fd()], &[]) else {
        return;
    };
    wait_until_read(([127, 0, 0, 1], port).into());
    let client = client(([127, 0, 0, 2], port).into());
    // Coalesced datagrams come with one more control message.
    if setsockopt(&client, sockopt::UdpGsoSegment, &100).is_err() {
        return skipped("this kernel has no UDP segmentation offload");
    }
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(&[b'x'; 250]).unwrap();
    for _ in 0..3 {
        let mut reply = [0; 64];
        let len = client.recv(&mut reply).unwrap();
        assert_eq!(&reply[..len], UDP_REPLY.as_bytes());
    }
}

#[test]
fn askers_that_vanish_leave_room_for_long_messages() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true).unwrap();
    let Some(server) = start(&[socket.as_fd()], &[]) else {
        return;
    };
    for _ in 0..2000 {
        client(server.address()).send(b"and gone").unwrap();
    }
    wait_until_read(server.address());
    assert!(is_answered(&client(server.address()), &[b'x'; 60_000]));
}

/// Sets `option` to `wrong`, and returns what checks later that it is `right`.
fn spoilt<O, T>(socket: &UdpSocket, option: O, wrong: &T, right: T) -> impl FnOnce(&UdpSocket)
where
    O: GetSockOpt<Val = T> + SetSockOpt<Val = T> + Copy + std::fmt::Debug,
    T: PartialEq + std::fmt::Debug,
{
    setsockopt(socket, option, wrong).unwrap();
    move |socket| assert_eq!(getsockopt(socket, option), Ok(right), "{option:?}")
}

#[test]
fn what_could_do_harm_is_reset() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let socket = UdpSocket::bind(address).unwrap();
        let is_ipv6 = socket.local_addr().unwrap().is_ipv6();
        socket.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
        let checks: &mut dyn Iterator<Item = Box<dyn FnOnce(&UdpSocket)>> = &mut [
            Box::new(spoilt(&socket, sockopt::RxqOvfl, &1, 0)) as Box<dyn FnOnce(&UdpSocket)>,
            Box::new(spoilt(&socket, sockopt::Ipv4RecvErr, &true, false)),
            Box::new(spoilt(&socket, sockopt::Broadcast, &true, false)),
            Box::new(spoilt(&socket, sockopt::DontRoute, &true, false)),
            Box::new(spoilt(&socket, sockopt::UdpGsoSegment, &7, 0)),
            Box::new(spoilt(&socket, LowWater, &100, 1)),
            Box::new(spoilt(&socket, MtuDiscovery, &libc::IP_PMTUDISC_DO, libc::IP_PMTUDISC_OMIT)),
            Box::new(spoilt(&socket, Cork, &true, false)),
        ]
        .into_iter();
        let checks: Vec<_> = checks.collect();
        let v6 = is_ipv6.then(|| {
            (
                spoilt(&socket, sockopt::Ipv6RecvErr, &true, false),
                spoilt(&socket, sockopt::Ipv6DontFrag, &true, false),
            )
        });
        // It is the same socket that the server has now.
        let Some(server) = start(&[socket.as_fd()], &[]) else {
            return;
        };
        checks.into_iter().for_each(|check| check(&socket));
        if let Some((errors, fragments)) = v6 {
            errors(&socket);
            fragments(&socket);
        }
        server.signal(Signal::SIGTERM);
        assert_eq!(server.finish().0, Some(0));
    }
}

#[test]
fn an_ipv4_group_of_an_ipv6_socket_is_joined() {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    let address: SocketAddr = "[::ffff:239.77.66.54]:0".parse().unwrap();
    socket.bind(&address.into()).unwrap();
    let Some(server) = start(&[socket.as_fd()], &["--workers", "2"]) else {
        return;
    };
    let group = server.listening_on()[0];
    assert_eq!(group.ip().to_string(), "239.77.66.54");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    SockRef::from(&client).set_multicast_if_v4(&[127, 0, 0, 1].into()).unwrap();
    client.send_to(b"hello", group).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reply = [0; 64];
    let (len, from) = client.recv_from(&mut reply).unwrap();
    assert_eq!(&reply[..len], UDP_REPLY.as_bytes());
    assert!(from.ip().is_loopback(), "{from}");
}

#[test]
fn what_came_to_a_broadcast_address_before_the_server_is_answered() {
    for (domain, any) in [(Domain::IPV4, "0.0.0.0:0"), (Domain::IPV6, "[::]:0")] {
        let socket = Socket::new(domain, Type::DGRAM, None).unwrap();
        if domain == Domain::IPV6 {
            socket.set_only_v6(false).unwrap();
        }
        socket.bind(&any.parse::<SocketAddr>().unwrap().into()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_broadcast(true).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        // The kernel does not say of these which address of this machine they concern.
        for _ in 0..2 {
            client.send_to(b"hello", ("127.255.255.255", port)).unwrap();
        }
        let Some(server) = start(&[socket.as_fd()], &[]) else {
            return;
        };
        for _ in 0..2 {
            let mut reply = [0; 64];
            let (len, from) = client.recv_from(&mut reply).unwrap();
            assert_eq!(&reply[..len], UDP_REPLY.as_bytes());
            assert_eq!(from, SocketAddr::from(([127, 0, 0, 1], port)));
        }
        assert_eq!(server.stop().0, Some(0));
    }
}

#[test]
fn what_a_passed_socket_dropped_before_does_not_count() {
    let passed = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = client(passed.local_addr().unwrap());
    // Many more than a receive buffer holds.
    for _ in 0..3000 {
        client.send(&[b'x'; 1000]).unwrap();
    }
    let Some(server) = start(&[passed.as_fd()], &["--json"]) else {
        return;
    };
    let lines = server.stop().1;
    let totals = Event::parse(lines.last().unwrap());
    assert!(totals.number("datagrams") > 0);
    assert_eq!(totals.number("dropped_kernel"), 0);
}
