//! A listener: how it is made, and what the errors of accept(2) mean.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use common::address::canonical;
use common::server::listen::{BoundSocket, Families, Sharing};
use common::server::peer::Peer;
use common::server::refusals::Refusals;
use common::server::rest::{Rest, is_empty, is_readable};
use common::server::settings::Refused;
use mio::net::{TcpListener, TcpStream};
use nix::Error as Errno;
use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::{ACCEPTS_PER_TURN, BACKLOG};
use crate::setup;

/// A listening socket, and whether it rests.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// The options that the system refused.
    pub refused: Refused,
    pub rest: Rest,
    /// Whether the next turn is to accept.
    pub is_ready: bool,
    /// Whether the system refuses to accept.
    pub refusals: Refusals,
    /// How many connections in a row were gone before they were accepted.
    gone_in_a_row: usize,
    /// Whether somebody was found waiting since the last accept.
    has_waiting: bool,
}

/// What came of [`Listener::accept`].
#[derive(Debug)]
pub enum Accepted {
    /// A connection, and its peer.
    Connection(TcpStream, Peer),
    /// No connection is queued, or the listener rests.
    Nobody,
    /// The connection was gone before it was accepted. Others may be queued.
    Gone(io::Error),
    /// This process has as many descriptors, or as much memory, as it may: a connection has to
    /// be closed, or the listener has to rest.
    Full(io::Error),
    /// The machine lacks something: the listener has to rest.
    Short(io::Error),
    /// The listening socket itself cannot be used.
    Broken(io::Error),
}

/// What an error of accept(2) means. See [`Accepted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Nobody,
    Gone,
    Full,
    Short,
    Broken,
}

impl BoundSocket for Listener {
    const TYPE: libc::c_int = libc::SOCK_STREAM;
    const KIND: &str = "listening TCP socket";

    fn bind(address: SocketAddr, families: Families, sharing: Sharing) -> io::Result<Self> {
        setup::check_address(address)?;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        let mut refused = Refused::default();
        families.set(&socket, address, &mut refused)?;
        // Without this, connections of an earlier run that are still in TIME_WAIT would
        // keep the address in use.
        refused.note("SO_REUSEADDR", socket.set_reuse_address(true));
        sharing.set(&socket)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::new(socket, refused)
    }

    fn adopt(passed: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(passed);
        if socket
            .protocol()
            .is_ok_and(|it| it != Some(Protocol::TCP) && it != Some(Protocol::MPTCP))
        {
            return Err(io::Error::other("not a TCP socket"));
        }
        if !socket.is_listener().unwrap_or(true) {
            // inetd, and systemd with `Accept=yes`, pass a connection instead.
            let is_connection = socket.peer_addr().is_ok();
            let what = if is_connection { "a connection" } else { "a socket that does not listen" };
            return Err(io::Error::other(format!("{what}, and not a listening socket")));
        }
        socket.local_addr()?.as_socket().map_or(Ok(()), setup::check_address)?;
        let mut refused = Refused::default();
        setup::reset(&socket, socket.local_addr()?.is_ipv6(), &mut refused);
        Self::new(socket, refused)
    }

    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener {
    fn new(socket: Socket, refused: Refused) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket.into());
        let address = canonical(socket.local_addr()?);
        Ok(Self {
            socket,
            address,
            refused,
            rest: Rest::default(),
            is_ready: false,
            refusals: Refusals::default(),
            gone_in_a_row: 0,
            has_waiting: false,
        })
    }

    /// Leaves the listener alone for a while. Returns whether to warn the user.
    #[must_use]
    pub fn begin_rest(&mut self, now: Instant) -> bool {
        self.gone_in_a_row = 0;
        self.rest.begin(now)
    }

    /// Whether a turn is to accept at `now`, which is then noted as done.
    pub fn take_ready(&mut self, now: Instant) -> bool {
        let is_rested = self.rest.until().is_some_and(|until| until <= now);
        mem::take(&mut self.is_ready) || is_rested
    }

    /// The socket, to register it.
    pub fn socket_mut(&mut self) -> &mut TcpListener {
        &mut self.socket
    }

    /// Accepts a connection, unless the listener rests, if this process `has_memory` for it.
    pub fn accept(&mut self, has_memory: bool, now: Instant) -> Accepted {
        if !self.rest.may_try(now) {
            return Accepted::Nobody;
        }
        if !has_memory {
            let queued = Accepted::Full(io::ErrorKind::OutOfMemory.into());
            return if self.has_queue() { queued } else { self.nobody() };
        }
        match self.socket.accept() {
            Ok((stream, peer)) => {
                self.rest.succeeded();
                self.refusals.end();
                self.gone_in_a_row = 0;
                self.has_waiting = false;
                Accepted::Connection(stream, Peer::new(peer))
            }
            Err(error) => match Meaning::of(&error) {
                Meaning::Nobody => self.nobody(),
                Meaning::Full if !self.has_queue() => self.nobody(),
                Meaning::Full => Accepted::Full(error),
                Meaning::Short => self.short(error),
                Meaning::Broken => Accepted::Broken(error),
                Meaning::Gone => {
                    self.gone_in_a_row += 1;
                    if self.gone_in_a_row < ACCEPTS_PER_TURN {
                        Accepted::Gone(error)
                    } else {
                        // After so many in a row, the next one would hardly be better.
                        self.short(error)
                    }
                }
            },
        }
    }

    fn short(&mut self, error: io::Error) -> Accepted {
        if self.refusals.are_for_good(&error) {
            return Accepted::Broken(error);
        }
        Accepted::Short(error)
    }

    fn nobody(&mut self) -> Accepted {
        self.refusals.end();
        self.has_waiting = false;
        Accepted::Nobody
    }

    /// Whether somebody waits while the listener rests, and was not found before. Whoever comes
    /// after that cannot be told from those who waited already.
    pub fn finds_waiting(&mut self) -> bool {
        let is_new = self.rest.until().is_some() && !self.has_waiting && self.has_queue();
        self.has_waiting |= is_new;
        is_new
    }

    /// Whether a connection is queued. If there is no free descriptor, accept(2) fails
    /// before it looks at the queue.
    pub fn has_queue(&self) -> bool {
        is_readable(self.socket.as_fd())
    }

    /// Whether it is certain that no connection is queued. Whoever comes afterwards is announced.
    pub fn has_no_queue(&self) -> bool {
        is_empty(self.socket.as_fd())
    }
}

impl Meaning {
    /// On Linux, accept(2) also reports network errors of the new connection, which say
    /// nothing about the listener. The raw numbers are compared, for `ErrorKind` merges
    /// some that mean different things here.
    fn of(error: &io::Error) -> Self {
        if error.kind() == ErrorKind::WouldBlock {
            return Self::Nobody;
        }
        match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
            Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK => Self::Broken,
            Errno::EINTR
            | Errno::ECONNABORTED
            | Errno::ECONNRESET
            | Errno::EPROTO
            | Errno::ENOPROTOOPT
            | Errno::EPERM
            | Errno::EOPNOTSUPP
            | Errno::ENETDOWN
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::ETIMEDOUT => Self::Gone,
            #[cfg(target_os = "linux")]
            Errno::ENONET => Self::Gone,
            Errno::EMFILE => Self::Full,
            // ENFILE, ENOBUFS, ENOMEM. After an unknown error the listener rests too, or
            // it might fail again and again at once.
            _ => Self::Short,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_accept_mean_what_they_say() {
        for (errno, meaning) in [
            (Errno::EAGAIN, Meaning::Nobody),
            (Errno::EINTR, Meaning::Gone),
            (Errno::ECONNABORTED, Meaning::Gone),
            (Errno::EPERM, Meaning::Gone),
            (Errno::ENETDOWN, Meaning::Gone),
            (Errno::EHOSTUNREACH, Meaning::Gone),
            (Errno::EMFILE, Meaning::Full),
            (Errno::ENFILE, Meaning::Short),
            (Errno::ENOBUFS, Meaning::Short),
            (Errno::ENOMEM, Meaning::Short),
            (Errno::EIO, Meaning::Short),
            (Errno::EBADF, Meaning::Broken),
            (Errno::EINVAL, Meaning::Broken),
            (Errno::ENOTSOCK, Meaning::Broken),
        ] {
            assert_eq!(Meaning::of(&errno.into()), meaning, "{errno}");
        }
    }
}
