//! What an exchange asks of its socket, and how that socket is made.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use common::destination::{Trouble, connected_to_itself};
use mio::net::TcpStream;
use nix::Error as Errno;
use socket2::{Domain, Socket, Type};

/// A byte stream that is being connected, none of whose calls blocks.
pub trait Stream {
    /// Whether the connection stands by now.
    fn is_connected(&mut self) -> io::Result<bool>;

    /// Sends some bytes.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Receives some bytes; zero of them is the peer's end.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Stream for TcpStream {
    /// connect(2), EINPROGRESS: the outcome is in `SO_ERROR`; without one, it
    /// stands when it has a peer.
    fn is_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Ok(peer) if self.local_addr()? == peer => Err(connected_to_itself()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }
}

/// Starts to connect to `peer`, from `source` where there is one.
pub fn connect(peer: SocketAddr, source: Option<SocketAddr>) -> Result<TcpStream, Trouble> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
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
