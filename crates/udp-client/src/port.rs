//! A source port as the system has it: a socket, and the exchange over it.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use common::probe::destination::any_address;
use common::probe::outcome::trouble::Trouble;
use common::probe::verbose;
use socket2::{Domain, Socket as Socket2, Type};

use crate::exchange::{Ends, Exchange, MOST_RECEIVED, Received, Socket};
use crate::socket::PortSocket;

/// A source port for one address of the target.
#[derive(Debug)]
pub struct Port {
    pub socket: PortSocket,
    pub ends: Ends,
    /// The exchange of the port's last probe.
    pub exchange: Exchange,
    /// Whether the socket is registered for writing too, because a datagram has to wait.
    pub is_registered_for_writing: bool,
    /// The address and the source that were asked for.
    address: SocketAddr,
    source: Option<SocketAddr>,
}

impl Port {
    /// Opens a port that sends to `address`, from `source` if one is given.
    pub fn open(address: SocketAddr, source: Option<SocketAddr>) -> Result<Self, Trouble> {
        let Ends { mut local, peer } = ends(address, source)?;
        let socket = bind(source.unwrap_or(any_address(address)))?;
        let socket = PortSocket::new(socket, address.is_ipv6())?;
        local.set_port(socket.port());
        if local == peer {
            return Err(Trouble::connected_to_itself());
        }
        verbose::say(format_args!("[*] Sending from: {local}"));
        let (ends, exchange) = (Ends { local, peer }, Exchange::new());
        Ok(Self { socket, ends, exchange, is_registered_for_writing: false, address, source })
    }

    /// Asks anew which of this machine's addresses leads to the target, because routes change.
    /// If none does now, it is the last one that did.
    pub fn update_local(&mut self) -> SocketAddr {
        if let Ok(Ends { mut local, .. }) = ends(self.address, self.source) {
            local.set_port(self.socket.port());
            self.ends.local = local;
        }
        self.ends.local
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
fn bind(source: SocketAddr) -> Result<UdpSocket, Trouble> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket2::new(Domain::for_address(source), kind, None)?;
    if source.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&source.into()).map_err(|error| Trouble::source(source, &error))?;
    Ok(socket.into())
}

/// What was in a socket without an exchange.
#[derive(Debug, Default)]
pub struct Drained {
    pub datagrams: Vec<Received>,
    /// Whether there were ICMP errors. They belong to an earlier datagram.
    pub has_errors: bool,
    /// Whether nothing is left.
    pub is_empty: bool,
}

/// Receives what is in a socket without an exchange, [`MOST_RECEIVED`] datagrams at most.
pub fn drain(socket: &impl Socket, buffer: &mut [u8]) -> Drained {
    let mut drained = Drained::default();
    for _ in 0..MOST_RECEIVED {
        match socket.receive(buffer) {
            Ok(received) => drained.datagrams.push(received),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                drained.is_empty = true;
                break;
            }
            // There may be datagrams behind an error.
            Err(_) => {
                while socket.icmp_error().is_some() {
                    drained.has_errors = true;
                }
            }
        }
    }
    drained
}
