//! A source port: its socket, what may come to it, and the probe that is out.

use std::io;
use std::net::{self, SocketAddr};
use std::time::Instant;

use common::probe::aim::Probe;
use common::probe::destination::any_address;
use common::probe::error_queue;
use common::probe::outcome::Outcome;
use common::probe::outcome::icmp::IcmpError;
use common::probe::outcome::trouble::Trouble;
use common::probe::source_port::SourcePort;
use log::debug;
use mio::net::UdpSocket;
use socket2::{Domain, Socket as Socket2, Type};

use crate::exchange::{Exchange, Socket, Way};

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<Instant> {
        // Right before, for the reply's time begins here.
        let now = Instant::now();
        self.send_to(datagram, peer).map(|_| now)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buffer)
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        error_queue::next(self)
    }
}

/// A source port, for one address of the target.
#[derive(Debug)]
pub struct Port {
    /// As it was asked for.
    pub address: SocketAddr,
    /// As the kernel goes to it: to 0.0.0.0 it is the loopback address.
    pub way: Way,
    pub socket: UdpSocket,
    pub state: SourcePort,
    /// The probe that is out.
    pub out: Option<Out>,
}

/// A probe that is out, or about to be.
#[derive(Debug)]
pub struct Out {
    pub probe: Probe,
    pub exchange: Exchange,
    /// When its datagram was sent.
    pub sent: Option<Instant>,
    /// It can be sent only when the socket is ready for that.
    pub waits_to_send: bool,
}

impl Port {
    /// Opens a port of `flow` for `address`: that of `source`, where it has one.
    pub fn open(
        address: SocketAddr,
        source: Option<SocketAddr>,
        flow: u32,
    ) -> Result<Self, Trouble> {
        let Way { mut local, peer } = way(address, source)?;
        let socket = bind(source.unwrap_or(any_address(address)))?;
        error_queue::enable(&socket, address.is_ipv6())?;
        local.set_port(socket.local_addr()?.port());
        if local == peer {
            return Err(Trouble::connected_to_itself());
        }
        debug!("[*] Sending from: {local}");
        let (way, socket) = (Way { local, peer }, UdpSocket::from_std(socket));
        Ok(Self { address, way, socket, state: SourcePort::new(flow), out: None })
    }

    /// Whether a probe may be sent from it.
    pub fn is_free(&self) -> bool {
        self.out.is_none() && self.state.quiet_until().is_none()
    }

    /// Whether `flow` may send a probe to `address` from it.
    pub fn is_free_for(&self, flow: u32, address: SocketAddr) -> bool {
        self.is_free() && self.state.flow() == flow && self.address == address
    }

    /// `probe` is about to be sent.
    pub fn send(&mut self, probe: Probe) {
        let exchange = Exchange::new();
        self.out = Some(Out { probe, exchange, sent: None, waits_to_send: false });
    }

    /// Its datagram was sent: the reply's time begins there, and again should it be
    /// sent again; the probe's with the first.
    pub fn sent(&mut self, at: Instant) {
        let Some(out) = &mut self.out else {
            return;
        };
        if out.sent.is_none() {
            out.probe.begin(at);
            self.state.sent(out.probe.due.number, at);
        }
        out.sent = Some(at);
    }

    /// When the time of its probe is up, or it has been quiet for long enough.
    pub fn next_end(&self) -> Option<Instant> {
        let quiet_until = || self.state.quiet_until();
        self.out.as_ref().map(|out| out.probe.ends_at()).or_else(quiet_until)
    }

    /// The probe that is out, if its time is up.
    pub fn late(&self, now: Instant) -> Option<&Out> {
        self.out.as_ref().filter(|out| out.probe.ends_at() <= now)
    }

    /// What came of the probe that was out, where the reply was there at
    /// `arrived`.
    pub fn outcome(
        &self,
        sent: Option<Instant>,
        result: Result<Vec<u8>, Trouble>,
        arrived: Instant,
    ) -> Outcome {
        let reply = sent.filter(|_| result.is_ok());
        // What came so fast that nothing was waited for, is there now.
        let since = |sent| if arrived > sent { arrived - sent } else { sent.elapsed() };
        let reply = reply.map(since);
        let local = Some(self.way.local);
        Outcome { local, reply, ..Outcome::of(Some(self.address), result) }.without_own_word()
    }
}

/// The way to `address`: which of our addresses leads there, and what the
/// kernel makes of it. A socket that is connected finds out.
fn way(address: SocketAddr, source: Option<SocketAddr>) -> Result<Way, Trouble> {
    let mut from = source.unwrap_or(any_address(address));
    from.set_port(0);
    let scout = bind(from)?;
    scout.connect(address).map_err(|error| Trouble::connecting(&error, source))?;
    Ok(Way { local: scout.local_addr()?, peer: scout.peer_addr()? })
}

/// A socket of one family alone that sends from `source`, and never blocks.
fn bind(source: SocketAddr) -> Result<net::UdpSocket, Trouble> {
    let kind = Type::DGRAM.nonblocking();
    let socket = Socket2::new(Domain::for_address(source), kind, None)?;
    if source.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&source.into()).map_err(|error| Trouble::source(source, &error))?;
    Ok(socket.into())
}
