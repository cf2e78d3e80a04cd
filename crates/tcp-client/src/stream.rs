//! The calls that an exchange makes, and how its socket is made.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use common::probe::control::Control;
use common::probe::destination::any_address;
use common::probe::egress::Egress;
use common::probe::extras::{self, Extra};
use common::probe::outcome::icmp::IcmpError;
use common::probe::outcome::trouble::Trouble;
use common::probe::poller::Ready;
use common::probe::{arrival, error_queue};
use common::stream::Stream;
use mio::net::TcpStream;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use nix::{Error as Errno, libc, setsockopt_impl, sockopt_impl};
use socket2::{Domain, SockRef, Socket, Type};

use crate::silence::Figures;
use crate::tcp_info::{Handshake, TcpInfo};

/// A byte stream that is being connected. None of the calls blocks.
pub trait Connecting: Stream {
    /// Whether the connection stands by now.
    fn is_connected(&mut self) -> io::Result<bool>;

    /// Whether both ends of the connection are the same.
    fn is_own_peer(&self) -> bool;

    /// The ICMP error because of which there is no connection, if there is one.
    fn icmp_error(&self) -> Option<IcmpError>;

    /// Whether the kernel would say so if there were an ICMP error.
    fn has_error_queue(&self) -> bool;

    /// Whether the error that a call has returned is passing: the connection, which stood,
    /// still stands.
    fn is_passing(&mut self) -> bool;

    /// What the kernel knows of the connection, which stands; none if the system does not say.
    fn figures(&self) -> Option<Figures>;
}

/// A connection that is being made, or stands.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// This machine's end.
    local: SocketAddr,
    /// The other end: first the address that the client asked for, later the kernel's.
    peer: SocketAddr,
    /// Whether the kernel queues the ICMP errors.
    has_error_queue: bool,
    /// Whether the kernel has announced that the socket is ready for writing.
    is_writable: bool,
    /// Whether the kernel has announced that the peer has ended its side.
    has_ended: bool,
    /// Whether all that the peer has said was received.
    is_drained: bool,
    /// When what was received last had come, by the kernel's stamp.
    stamp: Option<TimeSpec>,
    /// How often the SYN was sent again, once that was asked for.
    syn_retransmits: u32,
}

/// Which call chooses the source port of a flow if no port was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// bind(2)
    Bind,
    /// connect(2)
    Connect,
}

/// Why no connection is being made.
#[derive(Debug)]
pub struct Unconnected {
    pub trouble: Trouble,
    /// What is wrong with the source port, if that is the reason.
    pub port: Option<PortInUse>,
}

/// What keeps a source port from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortInUse {
    /// An earlier connection from it to the same peer, which is not gone yet.
    Held,
    /// Another socket, which does not share it.
    Taken,
}

impl<T: Into<Trouble>> From<T> for Unconnected {
    fn from(trouble: T) -> Self {
        Self { trouble: trouble.into(), port: None }
    }
}

sockopt_impl!(
    /// ip(7): a bind(2) to port 0 leaves the choice of the port to connect(2).
    BindAddressNoPort,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_BIND_ADDRESS_NO_PORT,
    bool
);

impl Connection {
    /// Makes a socket, and starts to connect to `peer`, from `source` if one is given. A
    /// `chooser` is given if the connection's flow keeps its port, and so uses it again. The
    /// segments leave by `egress`.
    pub fn connect(
        peer: SocketAddr,
        source: Option<SocketAddr>,
        chooser: Option<Chooser>,
        egress: &Egress,
    ) -> Result<Self, Unconnected> {
        Self::start(peer, source, chooser, None, egress)
    }

    /// The same with a maximum segment size, options included, for the segments of both sides. It is
    /// reset when it is closed.
    pub fn with_segments(
        peer: SocketAddr,
        source: Option<SocketAddr>,
        most: u32,
        egress: &Egress,
    ) -> Result<Self, Unconnected> {
        let connection = Self::start(peer, source, None, Some(most), egress)?;
        connection.reset_at_close();
        Ok(connection)
    }

    fn start(
        peer: SocketAddr,
        source: Option<SocketAddr>,
        chooser: Option<Chooser>,
        most: Option<u32>,
        egress: &Egress,
    ) -> Result<Self, Unconnected> {
        let kind = Type::STREAM.nonblocking();
        let made = Socket::new(Domain::for_address(peer), kind, None);
        let socket = made.map_err(|error| Trouble::here(&error))?;
        if peer.is_ipv6() {
            extras::have(Extra::OneFamily, socket.set_only_v6(true));
        }
        egress.prepare(&socket, peer.is_ipv6())?;
        let has_error_queue = error_queue::enable(&socket, peer.is_ipv6());
        arrival::enable(&socket);
        if source.is_some() || chooser.is_some() {
            // An earlier connection from this port may be in TIME_WAIT. To share the port,
            // both sockets need the option.
            extras::have(Extra::SharedPort, socket.set_reuse_address(true));
        }
        let binds = chooser == Some(Chooser::Bind);
        if let Some(own) = source.or_else(|| binds.then(|| any_address(peer))) {
            if own.port() == 0 && !binds {
                extras::have(Extra::LateChoice, setsockopt(&socket, BindAddressNoPort, &true));
            }
            socket.bind(&own.into()).map_err(|error| {
                let is_taken = error.kind() == ErrorKind::AddrInUse && own.port() != 0;
                let port = is_taken.then_some(PortInUse::Taken);
                Unconnected { trouble: Trouble::source(own, &error), port }
            })?;
        }
        if let Some(most) = most {
            let set = socket.set_tcp_mss(most);
            let unset = || Trouble::here(&ErrorKind::Unsupported.into());
            extras::have(Extra::SegmentSize, set).ok_or_else(unset)?;
        }
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => {
                let has_port = source.is_some_and(|own| own.port() != 0);
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
                let is_held = errno == Errno::EADDRNOTAVAIL && has_port;
                let port = is_held.then_some(PortInUse::Held);
                Err(Unconnected { trouble: Trouble::connecting(&error, peer, source), port })
            }
            _ => {
                let stream = TcpStream::from_std(socket.into());
                Ok(Self {
                    local: stream.local_addr().map_err(|error| Trouble::here(&error))?,
                    stream,
                    peer,
                    has_error_queue,
                    is_writable: false,
                    has_ended: false,
                    is_drained: false,
                    stamp: None,
                    syn_retransmits: 0,
                })
            }
        }
    }

    /// This machine's end of the connection.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Notes what the socket is `ready` for. If it is ready for writing alone, the connection
    /// stands.
    pub fn note_ready(&mut self, ready: Ready) {
        self.is_writable |= ready.is_for_writing;
        self.has_ended |= ready.has_ended;
    }

    /// How the handshake went so far; none if the system does not say. To be asked before
    /// anything is sent: later the kernel knows more, and of the handshake alone no longer.
    pub fn handshake(&mut self) -> Option<Handshake> {
        let handshake = TcpInfo::short(&self.stream)?.handshake();
        self.syn_retransmits = handshake.syn_retransmits;
        Some(handshake)
    }

    /// When the bytes that were received last had come to this machine, by the kernel's stamp:
    /// that of the last segment, if they came in several.
    pub fn stamp(&self) -> Option<TimeSpec> {
        self.stamp
    }

    /// Makes the close a reset: socket(7), `SO_LINGER`.
    pub fn reset_at_close(&self) {
        // Without the option the port is held for a while.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// The socket, to register it.
    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

impl Connecting for Connection {
    /// A connection that stands has a peer. If there is no peer, `SO_ERROR` has the reason,
    /// or is empty because the connection is still being made: connect(2), EINPROGRESS.
    fn is_connected(&mut self) -> io::Result<bool> {
        // A connection may be its own peer only if both ends have the same port. Only then
        // the kernel has to be asked.
        if self.is_writable && self.local.port() != self.peer.port() {
            return Ok(true);
        }
        match self.stream.peer_addr() {
            Ok(peer) => {
                self.peer = peer;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                // If the kernel does not say, that is not the error of the connection.
                self.stream.take_error().map_err(io::Error::other)?.map_or(Ok(false), Err)
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

    fn has_error_queue(&self) -> bool {
        self.has_error_queue
    }

    /// A reset and a retransmission that timed out have closed the connection. An ICMP error has
    /// not: with `IP_RECVERR` it makes a call fail, and whatever is in the way may go away (RFC
    /// 1122, section 4.2.3.9; ip(7)). From now on such errors are the kernel's own affair.
    fn is_passing(&mut self) -> bool {
        // A connection that is closed has no peer: getpeername(2).
        let still_stands = self.stream.peer_addr().is_ok();
        still_stands && error_queue::disable(&self.stream, self.peer.is_ipv6()).is_ok()
    }

    fn figures(&self) -> Option<Figures> {
        Some(TcpInfo::long(&self.stream)?.figures(self.syn_retransmits))
    }
}

impl Stream for Connection {
    /// Receives some bytes, with the kernel's stamp. If the peer had ended its side, and there
    /// were fewer bytes than there is room for, they were the last (epoll(7), question 9).
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_drained {
            return Ok(0);
        }
        let room = buffer.len();
        let mut control = Control::new();
        let mut into = [IoSliceMut::new(buffer)];
        let (fd, flags) = (self.stream.as_raw_fd(), MsgFlags::empty());
        let received = recvmsg::<()>(fd, &mut into, Some(control.room()), flags)?;
        // Without control messages the bytes are as good, and only less is known of them.
        self.stamp = received.cmsgs().into_iter().flatten().find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
            _ => None,
        });
        self.is_drained = self.has_ended && received.bytes < room;
        Ok(received.bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.send(bytes)
    }

    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.send_last(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.stream.end()
    }
}

#[cfg(test)]
mod tests {
    // A test fails by panicking.
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn the_round_trip_holds_no_delay_of_our_own() {
        let late = Duration::from_millis(200);
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let peer = listener.local_addr().unwrap();
            let mut connection = Connection::connect(peer, None, None, &Egress::default()).unwrap();
            let _accepted = listener.accept().unwrap();
            thread::sleep(late);
            assert!(connection.is_connected().unwrap());
            let Handshake { syn_retransmits, round_trip } = connection.handshake().unwrap();
            assert_eq!(syn_retransmits, 0);
            assert!(round_trip.is_some_and(|took| took < late), "{round_trip:?}");
        }
    }
}
