//! What a connection asks of its socket: a few calls, so that the state
//! machine can be tested on a script instead.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use nix::libc;
use socket2::SockRef;

/// A byte stream with a half-close, none of whose calls blocks.
pub trait Stream {
    /// Receives some bytes; zero of them is the peer's end.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Sends some bytes.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends some bytes, of which the last are held back until
    /// [`Stream::end`], to share a segment with the FIN.
    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends this side (shuts down writing).
    fn end(&mut self) -> io::Result<()>;
}

/// tcp(7), send(2): with `MSG_MORE` the kernel waits for more before it sends
/// a segment that is not full, and a shutdown is the last "more" there is.
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
