//! What an exchange asks of its socket, and how that socket is made.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use common::destination::any_address;
use common::error_queue;
use common::probe::icmp::IcmpError;
use common::probe::trouble::Trouble;
use mio::event::Source;
use mio::net::TcpStream;
use nix::sys::socket::setsockopt;
use nix::{Error as Errno, libc, setsockopt_impl, sockopt_impl};
use socket2::{Domain, SockRef, Socket, Type};

use crate::tcp_info;

/// A byte stream that is being connected, none of whose calls blocks.
pub trait Stream {
    /// Whether the connection stands by now.
    fn is_connected(&mut self) -> io::Result<bool>;

    /// Whether its two ends are the same.
    fn is_own_peer(&self) -> bool;

    /// The next ICMP error that came back, where there is one.
    fn icmp_error(&self) -> Option<IcmpError>;

    /// How many segments were sent again, where the system tells.
    fn retransmits(&self) -> Option<u32>;

    /// Sends some bytes.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends some bytes, of which the last are held back until
    /// [`Stream::end`], to share a segment with the FIN.
    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends this side (shuts down writing).
    fn end(&mut self) -> io::Result<()>;

    /// Receives some bytes; zero of them is the peer's end.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// tcp(7), send(2): with `MSG_MORE` the kernel waits for more before it sends
/// a segment that is not full, and a shutdown is the last "more" there is.
#[cfg(target_os = "linux")]
const LAST: libc::c_int = libc::MSG_MORE;
#[cfg(not(target_os = "linux"))]
const LAST: libc::c_int = 0;

/// A connection that is being made, or stands.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Where it is sent from.
    local: SocketAddr,
    /// Where to: as it was asked for, and then as the kernel has it.
    peer: SocketAddr,
    /// The kernel says that it can be written.
    is_writable: bool,
}

/// Who chooses the source port of a flow, where nobody has asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// bind(2)
    Bind,
    /// connect(2)
    Connect,
}

sockopt_impl!(
    /// ip(7): to bind to an address leaves the port to connect(2).
    BindAddressNoPort,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_BIND_ADDRESS_NO_PORT,
    bool
);

impl Connection {
    /// Starts to connect to `peer`, from `source` where there is one. That of a flow
    /// has a chooser, and its port may be bound again.
    pub fn open(
        peer: SocketAddr,
        source: Option<SocketAddr>,
        chooser: Option<Chooser>,
    ) -> Result<Self, Trouble> {
        let kind = Type::STREAM.nonblocking();
        let socket = Socket::new(Domain::for_address(peer), kind, None)?;
        if peer.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        error_queue::enable(&socket, peer.is_ipv6())?;
        if source.is_some() || chooser.is_some() {
            // The port may still be in TIME_WAIT: then this counts for both sockets.
            socket.set_reuse_address(true)?;
        }
        let binds = chooser == Some(Chooser::Bind);
        if let Some(own) = source.or_else(|| binds.then(|| any_address(peer))) {
            if own.port() == 0 && !binds {
                setsockopt(&socket, BindAddressNoPort, &true).map_err(io::Error::from)?;
            }
            socket.bind(&own.into()).map_err(|error| Trouble::source(own, &error))?;
        }
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => {
                Err(Trouble::connecting(&error, source))
            }
            _ => {
                let stream = TcpStream::from_std(socket.into());
                Ok(Self { local: stream.local_addr()?, stream, peer, is_writable: false })
            }
        }
    }

    /// Where it is sent from.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// It can be written, and nothing else: so the connection stands.
    pub fn writable(&mut self) {
        self.is_writable = true;
    }

    /// The socket, to register it.
    pub fn source(&mut self) -> &mut impl Source {
        &mut self.stream
    }
}

impl Stream for Connection {
    /// It stands when it has a peer. If it has none, why is in `SO_ERROR`, unless
    /// it is still being made: connect(2), EINPROGRESS.
    fn is_connected(&mut self) -> io::Result<bool> {
        // Only where both ports are the same may it be its own peer, which is asked for.
        if self.is_writable && self.local.port() != self.peer.port() {
            return Ok(true);
        }
        match self.stream.peer_addr() {
            Ok(peer) => {
                self.peer = peer;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                self.stream.take_error()?.map_or(Ok(false), Err)
            }
            Err(error) => Err(error),
        }
    }

    fn is_own_peer(&self) -> bool {
        self.local == self.peer
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        error_queue::next(&self.stream)
    }

    fn retransmits(&self) -> Option<u32> {
        tcp_info::retransmits(&self.stream)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&self.stream).send_with_flags(bytes, LAST)
    }

    fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}
