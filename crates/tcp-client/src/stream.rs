//! What an exchange asks of its socket, and how that socket is made.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use common::error_queue;
use common::probe::icmp::IcmpError;
use common::probe::trouble::Trouble;
use mio::net::TcpStream;
use nix::Error as Errno;
use nix::libc;
use socket2::{Domain, SockRef, Socket, Type};

use crate::tcp_info;

/// A byte stream that is being connected, none of whose calls blocks.
pub trait Stream {
    /// Whether the connection stands by now.
    fn is_connected(&mut self) -> io::Result<bool>;

    /// Whether its two ends are the same.
    fn is_own_peer(&self) -> bool;

    /// From now on ICMP errors are no errors: the connection stands, and they
    /// may pass (RFC 1122, section 4.2.3.9).
    fn bear_icmp_errors(&self) -> io::Result<()>;

    /// The ICMP error that came back, where there is one.
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

impl Stream for TcpStream {
    /// connect(2), EINPROGRESS: the outcome is in `SO_ERROR`; without one, it
    /// stands when it has a peer.
    fn is_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_own_peer(&self) -> bool {
        matches!((self.local_addr(), self.peer_addr()), (Ok(own), Ok(peer)) if own == peer)
    }

    fn bear_icmp_errors(&self) -> io::Result<()> {
        error_queue::enable(self, self.local_addr()?.is_ipv6(), false)
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        error_queue::next(self)
    }

    fn retransmits(&self) -> Option<u32> {
        tcp_info::retransmits(self)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&*self).send_with_flags(bytes, LAST)
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }
}

/// Starts to connect to `peer`, from `source` where there is one.
pub fn connect(peer: SocketAddr, source: Option<SocketAddr>) -> Result<TcpStream, Trouble> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if peer.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    error_queue::enable(&socket, peer.is_ipv6(), true)?;
    if let Some(source) = source {
        // A port that was used a moment ago may still be in TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&source.into()).map_err(|error| Trouble::source(source, &error))?;
    }
    match socket.connect(&peer.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => {
            Err(Trouble::connecting(&error, source))
        }
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
