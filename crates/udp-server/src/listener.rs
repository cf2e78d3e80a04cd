//! A listening socket: how it is made, and what the errors of its calls mean.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use common::listen::Families;
use common::rest::{Rest, Throttle};
use mio::net::UdpSocket;
use nix::Error as Errno;
use socket2::{Domain, Socket, Type};

use crate::events;

/// A listening socket, and whether it rests.
#[derive(Debug)]
pub struct Listener {
    pub socket: UdpSocket,
    pub rest: Rest,
    warnings: Throttle,
}

impl Listener {
    /// Listens on `address`. Without any option of reuse: two servers that
    /// share a port would take each other's datagrams.
    pub fn open(address: SocketAddr, families: Families) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(families == Families::Own)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket.into());
        Ok(Self { socket, rest: Rest::default(), warnings: Throttle::default() })
    }

    /// Lets it rest for a while after `error`, and says so now and then.
    pub fn rest_after(&mut self, error: &io::Error, now: Instant) {
        self.rest.begin(now);
        if self.warnings.may_pass(now) {
            events::cannot_receive(error);
        }
    }
}

/// What an error of a receive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// There is nothing more to receive.
    Nothing,
    /// One datagram, or the path to one peer, was in trouble; others are not.
    Passing,
    /// The socket itself cannot be used.
    Broken,
}

impl Meaning {
    /// Next to nothing is final: udp(7) reports what networks and peers did
    /// wrong on calls that have nothing to do with them.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::Nothing,
            _ => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                Errno::EBADF | Errno::ENOTSOCK => Self::Broken,
                _ => Self::Passing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_to_nothing_is_final() {
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
        ] {
            assert_eq!(Meaning::of(&errno.into()), meaning, "{errno}");
        }
    }
}
