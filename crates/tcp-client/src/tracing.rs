//! The trace of a probe over TCP: a SYN from the same port to the same target, with one hop limit
//! after another. What routers say of it is in the error queue of the socket.
//!
//! Each SYN has a socket of its own, and a sequence number of its own. An ICMP error that quotes
//! another one is not the socket's (RFC 5927, section 4.1), so none is taken for a later hop's.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::probe::egress::Egress;
use common::probe::error_queue;
use common::probe::examination::Subject;
use common::probe::extras::{self, Extra};
use common::probe::trace::path::Path;
use common::probe::trace::{Answers, Next, Trace};
use mio::net::TcpStream;
use nix::Error as Errno;
use socket2::{Domain, SockRef, Socket, Type};

/// The trace of a probe whose connection is closed.
#[derive(Debug)]
pub struct Tracing {
    flow: u32,
    peer: SocketAddr,
    /// Where SYNs leave from.
    local: SocketAddr,
    egress: Rc<Egress>,
    trace: Trace,
    /// The SYN that is out.
    socket: Option<TcpStream>,
    /// When there is something to do, even if nothing comes.
    next_at: Instant,
    /// Whether something has come.
    pub is_ready: bool,
}

/// How it goes on.
#[derive(Debug)]
pub enum Step<'a> {
    /// When something comes, or later.
    Wait,
    /// When something comes to this socket, which is new.
    Asked(&'a mut TcpStream),
    /// The way is known, as far as it can be.
    Done,
}

impl Tracing {
    /// The trace of `subject`, from `now` on. SYNs leave by `egress`.
    pub fn new(subject: &Subject, egress: Rc<Egress>, now: Instant) -> Self {
        let Subject { flow, address: peer, local, end, .. } = *subject;
        let trace = Trace::new(local, peer, now, end, Answers::Matched);
        Self { flow, peer, local, egress, trace, socket: None, next_at: now, is_ready: false }
    }

    /// The flow whose port is traced.
    pub fn flow(&self) -> u32 {
        self.flow
    }

    /// When there is something to do, even if nothing comes.
    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Looks at what has come, and asks what is to be asked at `now`.
    pub fn go_on(&mut self, now: Instant) -> Step<'_> {
        if !mem::take(&mut self.is_ready) && now < self.next_at {
            return Step::Wait;
        }
        if let Some(socket) = &self.socket {
            look(socket, &mut self.trace);
        }
        match self.trace.next(now) {
            Next::Nothing => return Step::Done,
            Next::Wait(until) => {
                self.next_at = until;
                return Step::Wait;
            }
            Next::Ask(hops) => {
                // The one before is closed first, so that the port is free.
                self.socket = None;
                match self.connect(hops) {
                    Ok(socket) => self.socket = Some(socket),
                    Err(error) => self.trace.fail(&error),
                }
            }
        }
        // What has come within the call is announced when the socket is registered.
        match (self.trace.next(now), &mut self.socket) {
            (Next::Wait(until), Some(socket)) => {
                self.next_at = until;
                Step::Asked(socket)
            }
            _ => Step::Done,
        }
    }

    /// Starts to connect with this hop limit: from the port of the probe or, if that cannot be used
    /// again, from another one.
    fn connect(&mut self, hops: u8) -> io::Result<TcpStream> {
        let begun = Instant::now();
        let socket = match connect(self.local, self.peer, hops, &self.egress) {
            Err(error) if is_of_port(&error) => {
                self.trace.leave_port();
                self.local.set_port(0);
                connect(self.local, self.peer, hops, &self.egress)?
            }
            connected => connected?,
        };
        self.local = socket.local_addr()?;
        self.trace.asked(self.local, begun);
        Ok(socket)
    }

    /// What is known of the way so far.
    pub fn into_path(self) -> Path {
        self.trace.into_path()
    }
}

/// Whether the source port is why there is no connection: an earlier one still holds it, or
/// another socket does.
fn is_of_port(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable)
}

fn connect(
    local: SocketAddr,
    peer: SocketAddr,
    hops: u8,
    egress: &Egress,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM.nonblocking(), None)?;
    if peer.is_ipv6() {
        extras::have(Extra::OneFamily, socket.set_only_v6(true));
        socket.set_unicast_hops_v6(hops.into())?;
    } else {
        socket.set_ttl_v4(hops.into())?;
    }
    if !error_queue::enable(&socket, peer.is_ipv6()) {
        // No router would be heard.
        return Err(Errno::EOPNOTSUPP.into());
    }
    extras::have(Extra::SharedPort, socket.set_reuse_address(true));
    egress
        .prepare(&socket, peer.is_ipv6())
        .map_err(|trouble| io::Error::other(trouble.reason.clone()))?;
    // A connection that comes to stand has nothing to say. A reset ends it with the least work for
    // the server, and frees the port.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&local.into())?;
    match socket.connect(&peer.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Looks at what has come of the SYN that is out.
fn look(socket: &TcpStream, trace: &mut Trace) {
    let now = Instant::now();
    if let Some(error) = error_queue::next(socket) {
        trace.icmp(error, now);
        return;
    }
    match SockRef::from(socket).take_error() {
        // A reset. Whatever ICMP says is in the queue.
        Ok(Some(error)) if error.kind() == ErrorKind::ConnectionRefused => trace.reached(now),
        Ok(Some(error)) => trace.fail(&error),
        Ok(None) if socket.peer_addr().is_ok() => trace.reached(now),
        _ => {}
    }
}
