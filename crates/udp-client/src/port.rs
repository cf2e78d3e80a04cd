//! A source port as the system has it: a socket, and the exchange over it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};

use common::probe::destination::any_address;
use common::probe::egress::Egress;
use common::probe::extras::{self, Extra};
use common::probe::outcome::trouble::Trouble;
use common::probe::verbose;
use socket2::{Domain, Socket as Socket2, Type};

use crate::exchange::{Ends, Exchange, MOST_RECEIVED, Received, Socket};
use crate::numbers::Numbers;
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

/// What opens ports.
#[derive(Debug)]
pub struct Opener {
    egress: Egress,
    numbers: Numbers,
    /// An address to which ports were opened, and the ends of the way there. It is not asked for
    /// anew for each port, but when a probe has failed.
    way: Option<(SocketAddr, Ends)>,
    /// Whether another of this machine's addresses has taken the place of one.
    has_moved: bool,
}

impl Opener {
    /// An opener that has opened no port. What the ports send leaves by `egress`.
    pub fn new(egress: Egress) -> Self {
        Self { egress, numbers: Numbers::of_system(), way: None, has_moved: false }
    }

    /// Opens a port that sends to `address`, from `source` if one is given.
    pub fn open(
        &mut self,
        address: SocketAddr,
        source: Option<SocketAddr>,
    ) -> Result<Port, Trouble> {
        let known = self.way.filter(|(to, _)| *to == address).map(|(_, ends)| ends);
        let mut ends = known.map_or_else(|| ends(address, source, &self.egress), Ok)?;
        self.way = Some((address, ends));
        let (socket, port) = self.bind(address, source.unwrap_or(any_address(address)))?;
        let socket = PortSocket::new(socket, port, ends.peer, self.egress.dscp().is_some());
        ends.local.set_port(port);
        if ends.local == ends.peer {
            return Err(Trouble::connected_to_itself());
        }
        verbose::say(format_args!("[*] Sending from: {}", ends.local));
        let exchange = Exchange::new();
        Ok(Port { socket, ends, exchange, is_registered_for_writing: false, address, source })
    }

    /// Binds a socket for datagrams to `address` to `source`. Returns its port, too. If `source`
    /// has none, that is the next one that is free, and not the one that the datagrams go to: on
    /// the same host the socket would talk to itself.
    fn bind(
        &mut self,
        address: SocketAddr,
        source: SocketAddr,
    ) -> Result<(UdpSocket, u16), Trouble> {
        let socket = socket(source, &self.egress)?;
        let bound = if source.port() == 0 {
            let others = self.numbers.round().filter(|number| *number != address.port());
            bind_to_any(&socket, source, others)
        } else {
            socket.bind(&source.into()).map(|()| source.port())
        };
        let port = bound.map_err(|error| Trouble::source(source, &error))?;
        Ok((socket.into(), port))
    }

    /// Whether all ports that were opened have sent from one address, as far as is known.
    pub fn has_stayed(&self) -> bool {
        !self.has_moved
    }

    /// Asks anew which of this machine's addresses leads to the target of `port`, because routes
    /// change. If none does now, it is the last one that did.
    pub fn update_local(&mut self, port: &mut Port) -> SocketAddr {
        let ends = ends(port.address, port.source, &self.egress).ok();
        let before = self.way.map(|(_, ends)| ends.local.ip());
        self.has_moved |= ends.map(|ends| ends.local.ip()) != before;
        self.way = ends.map(|ends| (port.address, ends));
        if let Some(Ends { mut local, .. }) = ends {
            local.set_port(port.socket.port());
            port.ends.local = local;
        }
        port.ends.local
    }
}

/// Binds `socket` to the address of `source` and the first of `numbers` that is free, which is
/// returned.
fn bind_to_any(
    socket: &Socket2,
    mut source: SocketAddr,
    numbers: impl Iterator<Item = u16>,
) -> io::Result<u16> {
    for number in numbers {
        source.set_port(number);
        match socket.bind(&source.into()).map_err(|error| (error.kind(), error)) {
            Ok(()) => return Ok(number),
            // The number is in use, or only for privileged processes.
            Err((ErrorKind::AddrInUse | ErrorKind::PermissionDenied, _)) => {}
            Err((_, error)) => return Err(error),
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

/// The two ends of the way to `address`: which of this machine's addresses leads there, and
/// which address the kernel goes to. A second socket is connected to find out.
fn ends(address: SocketAddr, source: Option<SocketAddr>, egress: &Egress) -> Result<Ends, Trouble> {
    let mut from = source.unwrap_or(any_address(address));
    from.set_port(0);
    let scout = socket(from, egress)?;
    scout.bind(&from.into()).map_err(|error| Trouble::source(from, &error))?;
    let scout = UdpSocket::from(scout);
    scout.connect(address).map_err(|error| Trouble::connecting(&error, address, source))?;
    let local = scout.local_addr().map_err(|error| Trouble::here(&error))?;
    // Only of the unspecified address is it another one.
    Ok(Ends { local, peer: scout.peer_addr().unwrap_or(address) })
}

/// A non-blocking socket, of the family of `source` alone, whose datagrams leave by `egress`.
fn socket(source: SocketAddr, egress: &Egress) -> Result<Socket2, Trouble> {
    let kind = Type::DGRAM.nonblocking();
    let made = Socket2::new(Domain::for_address(source), kind, None);
    let socket = made.map_err(|error| Trouble::here(&error))?;
    if source.is_ipv6() {
        extras::have(Extra::OneFamily, socket.set_only_v6(true));
    }
    egress.prepare(&socket, source.is_ipv6())?;
    Ok(socket)
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

/// Receives what is in a socket without an exchange, [`MOST_RECEIVED`] datagrams at most. Nearly
/// always there is nothing.
pub fn drain(socket: &impl Socket, buffer: &mut [u8]) -> Drained {
    let mut drained = Drained::default();
    let mut looked = socket.peek();
    for _ in 0..MOST_RECEIVED {
        match looked.and_then(|()| socket.receive(buffer)) {
            Ok(received) => drained.datagrams.push(received),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                drained.is_empty = true;
                break;
            }
            // There may be datagrams behind an error.
            Err(error) => {
                drained.has_errors |= error.kind() == ErrorKind::ConnectionRefused;
                while socket.icmp_error().is_some() {
                    drained.has_errors = true;
                }
            }
        }
        looked = Ok(());
    }
    drained
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_use_is_skipped_and_if_all_are_there_is_no_free_port() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _taken = UdpSocket::bind(taken).unwrap();
        let any = SocketAddr::new(taken.ip(), 0);
        let bound = |numbers: &[u16]| {
            let socket = socket(any, &Egress::default()).unwrap();
            let number = bind_to_any(&socket, any, numbers.iter().copied())?;
            assert_eq!(UdpSocket::from(socket).local_addr()?.port(), number);
            Ok::<_, io::Error>(number)
        };
        assert_eq!(bound(&[taken.port(), free.port()]).unwrap(), free.port());
        let none = Trouble::source(any, &bound(&[taken.port(), taken.port()]).unwrap_err());
        assert_eq!(none.reason, "no free port, or no address, to send from");
    }
}
