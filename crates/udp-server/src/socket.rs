//! The server's socket: how it is made and bound, and what the errors of a receive
//! mean.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use common::address::canonical;
use common::server::listen::{BoundSocket, Families, Sharing};
use common::server::refusals::Refusals;
use common::server::rest::{Rest, is_readable};
use common::server::settings::Refused;
use mio::net::UdpSocket;
use nix::Error as Errno;
use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::PASSED_CONTROL_SIZE;
use crate::setup::Bound;
use crate::{groups, setup};

/// A bound socket, and whether it rests.
#[derive(Debug)]
pub struct ServerSocket {
    pub udp: UdpSocket,
    /// How many replies to one peer a send may hold: 1 without GSO.
    pub most_segments: usize,
    /// Whether its addresses are IPv6 ones, those of IPv4 peers too.
    pub is_ipv6: bool,
    /// The bytes that the control messages of a datagram may take.
    pub control_size: usize,
    /// Whether the socket was passed by a service manager, and may be older than this process.
    pub was_passed: bool,
    /// The options that the system refused.
    pub refused: Refused,
    address: SocketAddr,
    /// Whether this socket answers datagrams to a group. Such a datagram comes to the
    /// socket of every event loop, and only the first loop's socket answers it.
    pub answers_groups: bool,
    /// Whether the socket may hold datagrams.
    pub is_ready: bool,
    pub rest: Rest,
    /// Whether the system refuses to receive.
    pub refusals: Refusals,
    /// Whether datagrams were found waiting since the last receive.
    pub was_found_waiting: bool,
}

impl BoundSocket for ServerSocket {
    const TYPE: libc::c_int = libc::SOCK_DGRAM;
    const KIND: &str = "UDP socket";

    /// Sets no option that shares the port, except between event loops of one server:
    /// two servers on one port would take each other's datagrams.
    fn bind(address: SocketAddr, families: Families, sharing: Sharing) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        let mut refused = Refused::default();
        families.set(&socket, address, &mut refused)?;
        sharing.set(&socket)?;
        socket.bind(&address.into())?;
        let answers_groups = sharing != Sharing::Workers { is_first: false };
        Ok(Self { answers_groups, ..Self::new(socket, refused)? })
    }

    fn adopt(passed: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(passed);
        let bound = socket.local_addr()?.as_socket();
        let problem = if socket.protocol().is_ok_and(|it| it != Some(Protocol::UDP)) {
            "not a UDP socket"
        } else if socket.peer_addr().is_ok() {
            "connected: it would hear one peer alone"
        } else if bound.is_none_or(|address| address.port() == 0) {
            "not bound to a port"
        } else {
            let mut refused = Refused::default();
            setup::reset(&socket, bound.is_some_and(|it| it.is_ipv6()), &mut refused);
            let own = Self::new(socket, refused)?;
            return Ok(Self { control_size: PASSED_CONTROL_SIZE, was_passed: true, ..own });
        };
        Err(io::Error::other(problem))
    }

    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl ServerSocket {
    fn new(socket: Socket, mut refused: Refused) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let unknown = || io::Error::from(Errno::EAFNOSUPPORT);
        let address = socket.local_addr()?.as_socket().ok_or_else(unknown)?;
        let bound = Bound::to(address);
        let most_segments = setup::set_up(&socket, bound, &mut refused);
        let address = canonical(address);
        groups::join(&socket, address)?;
        let udp = UdpSocket::from_std(socket.into());
        Ok(Self {
            udp,
            most_segments,
            is_ipv6: bound.is_ipv6,
            control_size: bound.control_size(),
            was_passed: false,
            refused,
            address,
            answers_groups: true,
            is_ready: false,
            rest: Rest::default(),
            refusals: Refusals::default(),
            was_found_waiting: false,
        })
    }

    /// Makes the kernel say with which DSCP datagrams come.
    pub fn hear_dscp(&mut self) {
        self.control_size += setup::hear_dscp(&self.udp, self.is_ipv6, &mut self.refused);
    }

    /// Whether the socket rests, and holds datagrams.
    pub fn has_waiting(&self) -> bool {
        self.rest.until().is_some() && is_readable(self.udp.as_fd())
    }
}

/// What an error of a receive means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// There is nothing more to receive.
    Nothing,
    /// One datagram, or the path to one peer, is in trouble. Other datagrams are not.
    Passing,
    /// The socket itself cannot be used.
    Broken,
}

impl Meaning {
    /// Hardly any error is final: a call also reports errors that networks and peers
    /// caused earlier, which have nothing to do with that call (udp(7)).
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::Nothing,
            _ => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                Errno::EBADF | Errno::ENOTSOCK | Errno::ENOSYS => Self::Broken,
                _ => Self::Passing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardly_any_error_is_final() {
        for (errno, meaning) in [
            (Errno::EAGAIN, Meaning::Nothing),
            (Errno::EINTR, Meaning::Passing),
            (Errno::ECONNREFUSED, Meaning::Passing),
            (Errno::EHOSTUNREACH, Meaning::Passing),
            (Errno::ENETDOWN, Meaning::Passing),
            (Errno::ENOMEM, Meaning::Passing),
            (Errno::EPERM, Meaning::Passing),
            (Errno::EINVAL, Meaning::Passing),
            (Errno::EFAULT, Meaning::Passing),
            (Errno::EBADF, Meaning::Broken),
            (Errno::ENOTSOCK, Meaning::Broken),
            (Errno::ENOSYS, Meaning::Broken),
        ] {
            assert_eq!(Meaning::of(&errno.into()), meaning, "{errno}");
        }
    }
}
