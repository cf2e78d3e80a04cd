//! The calls on a TCP connection. The state machines of tcp-server and tcp-client
//! make them through a trait, so that a test can put a script in place of the socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use nix::libc;
use socket2::SockRef;

/// A byte stream with a half-close. None of the calls blocks.
pub trait Stream {
    /// Receives some bytes. Zero bytes mean that the peer has ended its side.
    ///
    /// # Errors
    /// Those of recv(2).
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Sends some bytes.
    ///
    /// # Errors
    /// Those of send(2).
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends some bytes. Linux holds the last of them back until [`Stream::end`],
    /// so that they share a segment with the FIN.
    ///
    /// # Errors
    /// Those of send(2).
    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends this side: shuts down writing.
    ///
    /// # Errors
    /// Those of shutdown(2).
    fn end(&mut self) -> io::Result<()>;
}

/// tcp(7), send(2): with `MSG_MORE` the kernel waits for more bytes before it sends a
/// segment that is not full. When writing is shut down, the kernel waits no longer.
#[cfg(target_os = "linux")]
const LAST: libc::c_int = libc::MSG_MORE;
#[cfg(not(target_os = "linux"))]
const LAST: libc::c_int = 0;

impl Stream for TcpStream {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
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
}
