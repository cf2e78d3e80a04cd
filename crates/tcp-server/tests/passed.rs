//! Sockets that a service manager passes: what is announced, and in what state they are.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use common::testing::{PATIENCE, Server, ServiceManager, run_command};
use nix::sys::socket::{GetSockOpt, SetSockOpt, getsockopt, setsockopt, sockopt};
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

sockopt_impl!(
    /// socket(7).
    LowWater,
    Both,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    libc::c_int
);
sockopt_impl!(
    /// tcp(7).
    DeferAccept,
    Both,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    libc::c_int
);

/// A server that is given these sockets; `None` if a tool is missing.
fn start(sockets: &[BorrowedFd<'_>], args: &[&str]) -> Option<Server> {
    let announced = format!("LISTEN_FDS={}", sockets.len());
    let command = ServiceManager::pass(sockets, &announced, TCP_SERVER, args)?;
    Some(Server::spawn(command, sockets.len()))
}

#[test]
fn what_was_not_passed_is_not_taken() {
    let passed = TcpListener::bind("127.0.0.1:0").unwrap();
    for (environment, reason) in [
        ("LISTEN_FDS=2", "LISTEN_FDS=2, descriptor 4: not a listening TCP socket"),
        ("LISTEN_FDS=4294967297", "LISTEN_FDS=4294967297: not a number from 0 to 1024"),
    ] {
        let args = ["--workers", "2", "--idle-exit", "10ms", "--listen", "127.0.0.1:0"];
        let sockets = [passed.as_fd()];
        let Some(command) = ServiceManager::pass(&sockets, environment, TCP_SERVER, &args) else {
            return;
        };
        let ended = run_command(command, b"");
        assert_eq!(ended.stderr, format!("tcp-server: {reason}\n"));
        assert_eq!(ended.status, Some(2), "{environment}");
    }
}

#[test]
fn a_short_message_is_heard_and_a_silent_connection_is_seen() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // Connections inherit this one.
    setsockopt(&socket, LowWater, &100).unwrap();
    setsockopt(&socket, DeferAccept, &30).unwrap();
    SockRef::from(&socket).set_linger(Some(PATIENCE)).unwrap();
    let Some(mut server) = start(&[socket.as_fd()], &[]) else {
        return;
    };
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    server.wait_for("Accept connection from");
    client.write_all(b"hello").unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "ACK!");
}

fn spoil<O>(socket: &TcpListener, option: O, wrong: &<O as SetSockOpt>::Val)
where
    O: SetSockOpt,
{
    setsockopt(socket, option, wrong).unwrap();
}

fn value<O: GetSockOpt>(socket: &TcpListener, option: O) -> O::Val {
    getsockopt(socket, option).unwrap()
}

#[test]
fn what_could_do_harm_is_reset() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let socket = TcpListener::bind(address).unwrap();
        let is_ipv6 = socket.local_addr().unwrap().is_ipv6();
        spoil(&socket, LowWater, &100);
        spoil(&socket, DeferAccept, &30);
        spoil(&socket, sockopt::Ipv4RecvErr, &true);
        spoil(&socket, sockopt::DontRoute, &true);
        spoil(&socket, sockopt::OobInline, &true);
        let linger = libc::linger { l_onoff: 1, l_linger: 30 };
        spoil(&socket, sockopt::Linger, &linger);
        SockRef::from(&socket).set_tcp_cork(true).unwrap();
        if is_ipv6 {
            spoil(&socket, sockopt::Ipv6RecvErr, &true);
        }
        // It is the same socket that the server has now.
        let Some(server) = start(&[socket.as_fd()], &[]) else {
            return;
        };
        assert_eq!(value(&socket, LowWater), 1);
        assert_eq!(value(&socket, DeferAccept), 0);
        assert!(!value(&socket, sockopt::Ipv4RecvErr));
        assert!(!value(&socket, sockopt::DontRoute));
        assert!(!value(&socket, sockopt::OobInline));
        assert_eq!(value(&socket, sockopt::Linger).l_onoff, 0);
        assert!(!SockRef::from(&socket).tcp_cork().unwrap());
        assert!(!is_ipv6 || !value(&socket, sockopt::Ipv6RecvErr));
        assert_eq!(server.stop().0, Some(0));
    }
}

#[test]
fn multipath_sockets_are_taken() {
    let Ok(socket) = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)) else {
        return; // This kernel has none.
    };
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    socket.listen(1).unwrap();
    let Some(server) = start(&[socket.as_fd()], &[]) else {
        return;
    };
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"hello").unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "ACK!");
}

/// A listening IPv6 socket that is bound to an IPv4 address.
fn mapped(address: &str) -> Socket {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    let address: SocketAddr = format!("[::ffff:{address}]:0").parse().unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(1).unwrap();
    socket
}

#[test]
fn an_ipv4_address_of_an_ipv6_socket_is_one() {
    for (address, kind) in [("224.0.0.251", "multicast"), ("127.255.255.255", "broadcast")] {
        let socket = mapped(address);
        let args = ["--idle-exit", "10ms"];
        let Some(command) =
            ServiceManager::pass(&[socket.as_fd()], "LISTEN_FDS=1", TCP_SERVER, &args)
        else {
            return;
        };
        let ended = run_command(command, b"");
        let reason = format!("a {kind} address: nobody can connect to it");
        assert_eq!(ended.stderr, format!("tcp-server: LISTEN_FDS=1, descriptor 3: {reason}\n"));
        assert_eq!(ended.status, Some(2), "{address}");
    }
    let server = start(&[mapped("127.0.0.1").as_fd()], &[]).unwrap();
    assert!(server.address().is_ipv4(), "{}", server.address());
}
