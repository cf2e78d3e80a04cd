//! A source port as the system has it: a socket, and the exchange over it.

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::time::Instant;

use common::probe::destination::any_address;
use common::probe::error_queue;
use common::probe::outcome::icmp::IcmpError;
use common::probe::outcome::trouble::Trouble;
use common::probe::verbose;
use mio::net::UdpSocket;
use socket2::{Domain, Socket as Socket2, Type};

use crate::exchange::{Ends, Exchange, MOST_RECEIVED, Socket};

/// A source port for one address of the target.
#[derive(Debug)]
pub struct Port {
    pub socket: UdpSocket,
    pub ends: Ends,
    /// The exchange of the port's last probe.
    pub exchange: Exchange,
    /// Whether the socket is registered for writing too, because a datagram has to wait.
    pub is_registered_for_writing: bool,
}

impl Port {
    /// Opens a port that sends to `address`, from `source` if one is given.
    pub fn open(address: SocketAddr, source: Option<SocketAddr>) -> Result<Self, Trouble> {
        let Ends { mut local, peer } = ends(address, source)?;
        let socket = bind(source.unwrap_or(any_address(address)))?;
        error_queue::enable(&socket, address.is_ipv6())?;
        local.set_port(socket.local_addr()?.port());
        if local == peer {
            return Err(Trouble::connected_to_itself());
        }
        verbose::say(format_args!("[*] Sending from: {local}"));
        let (ends, socket) = (Ends { local, peer }, UdpSocket::from_std(socket));
        Ok(Self { socket, ends, exchange: Exchange::new(), is_registered_for_writing: false })
    }
}

/// The two ends of the way to `address`: which of this machine's addresses leads there, and
/// which address the kernel goes to. A second socket is connected to find out.
fn ends(address: SocketAddr, source: Option<SocketAddr>) -> Result<Ends, Trouble> {
    let mut from = source.unwrap_or(any_address(address));
    from.set_port(0);
    let scout = bind(from)?;
    scout.connect(address).map_err(|error| Trouble::connecting(&error, source))?;
    Ok(Ends { local: scout.local_addr()?, peer: scout.peer_addr()? })
}

/// Binds a non-blocking socket, of one family alone, to `source`.
fn bind(source: SocketAddr) -> Result<net::UdpSocket, Trouble> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket2::new(Domain::for_address(source), kind, None)?;
    if source.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&source.into()).map_err(|error| Trouble::source(source, &error))?;
    Ok(socket.into())
}

/// Receives the datagrams that wait in a socket without an exchange, [`MOST_RECEIVED`] at
/// most, and hands each sender to `on_sender`. ICMP errors belong to an earlier datagram and
/// are dropped. Returns whether the socket is empty.
pub fn drain(
    socket: &impl Socket,
    buffer: &mut [u8],
    mut on_sender: impl FnMut(SocketAddr),
) -> bool {
    for _ in 0..MOST_RECEIVED {
        match socket.receive(buffer) {
            Ok((_, from)) => on_sender(from),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            // There may be datagrams behind an error.
            Err(_) => while socket.icmp_error().is_some() {},
        }
    }
    false
}

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<Instant> {
        // Taken right before the call, because the reply's time begins here.
        let now = Instant::now();
        self.send_to(datagram, peer).map(|_| now)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buffer)
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        error_queue::next(self)
    }
}
