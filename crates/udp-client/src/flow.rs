//! A flow (one source port), the loop that drives an exchange over it, and the
//! session that picks the flow.

use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use common::destination::Destination;
use common::error_queue;
use common::probe::icmp::IcmpError;
use common::probe::outcome::Outcome;
use common::probe::trouble::Trouble;
use log::debug;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket as Socket2, Type};

use crate::exchange::{Exchange, Socket, Step, Way};

/// More than any datagram holds.
const RECEIVE_SIZE: usize = 64 * 1024;

const SOCKET: Token = Token(0);

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<usize> {
        self.send_to(datagram, peer)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buffer)
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        error_queue::next(self)
    }
}

/// A source port, and the peer that it is for.
#[derive(Debug)]
struct Flow {
    /// As it was asked for.
    address: SocketAddr,
    /// As the kernel goes to it: to 0.0.0.0 it is the loopback address.
    way: Way,
    socket: UdpSocket,
    poll: Poll,
}

impl Flow {
    fn open(address: SocketAddr, source: Option<SocketAddr>) -> Result<Self, Trouble> {
        let Way { mut local, peer } = way(address, source)?;
        let socket = bind(source.unwrap_or(unspecified(address)))?;
        error_queue::enable(&socket, address.is_ipv6(), true)?;
        local.set_port(socket.local_addr()?.port());
        if local == peer {
            return Err(Trouble::connected_to_itself());
        }
        debug!("[*] Sending from: {local}");
        let mut socket = UdpSocket::from_std(socket);
        let poll = Poll::new()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, SOCKET, both)?;
        Ok(Self { address, way: Way { local, peer }, socket, poll })
    }

    /// Exchanges `datagram` for a reply, within `limit`.
    fn exchange(&mut self, datagram: &[u8], limit: Duration) -> Outcome {
        let mut sent = None;
        let mut reply = None;
        let result = self.drive(datagram, limit, &mut sent).inspect(|_| {
            reply = sent.map(|sent| sent.elapsed());
        });
        let (address, local) = (Some(self.address), Some(self.way.local));
        Outcome { address, local, connect: None, reply, result }.without_own_word()
    }

    fn drive(
        &mut self,
        datagram: &[u8],
        limit: Duration,
        sent: &mut Option<Instant>,
    ) -> Result<Vec<u8>, Trouble> {
        let start = Instant::now();
        let mut events = Events::with_capacity(4);
        let mut buffer = vec![0; RECEIVE_SIZE];
        let mut exchange = Exchange::new(&self.socket, self.way, datagram);
        loop {
            let now = Instant::now();
            let step = exchange.step(&mut buffer);
            match step {
                Step::Done(outcome) => {
                    buffer.truncate(outcome?);
                    return Ok(buffer);
                }
                Step::Sent => *sent = Some(now),
                Step::Again | Step::Wait => {}
            }
            let time_left = limit.saturating_sub(start.elapsed());
            if time_left.is_zero() {
                return Err(exchange.timed_out(limit));
            }
            if !matches!(step, Step::Wait) {
                continue;
            }
            match self.poll.poll(&mut events, Some(time_left)) {
                // Ctrl-Z and fg.
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
        }
    }
}

/// The way to `address`: which of our addresses leads there, and what the
/// kernel makes of it. A socket that is connected finds out.
fn way(address: SocketAddr, source: Option<SocketAddr>) -> Result<Way, Trouble> {
    let mut from = source.unwrap_or(unspecified(address));
    from.set_port(0);
    let scout = bind(from)?;
    scout.connect(address).map_err(|error| Trouble::connecting(&error, source))?;
    Ok(Way { local: scout.local_addr()?, peer: scout.peer_addr()? })
}

/// A socket of one family alone that sends from `source`, and never blocks.
fn bind(source: SocketAddr) -> Result<net::UdpSocket, Trouble> {
    let socket = Socket2::new(Domain::for_address(source), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    if source.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&source.into()).map_err(|error| Trouble::source(source, &error))?;
    Ok(socket.into())
}

/// Any address of the family of `address`.
fn unspecified(address: SocketAddr) -> SocketAddr {
    if address.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    }
}

/// Exchanges with one destination, over one flow for as long as it works.
#[derive(Debug)]
pub struct Session {
    destination: Destination,
    flow: Option<Flow>,
}

impl Session {
    /// A session that has said nothing yet.
    pub fn new(destination: Destination) -> Self {
        Self { destination, flow: None }
    }

    /// Exchanges `datagram` for a reply: what came of it with each address
    /// that was tried.
    ///
    /// A flow that failed is given up: a reply that comes late finds nobody,
    /// and cannot be taken for the next datagram's, unless that is to have the
    /// same source port.
    pub fn exchange(&mut self, datagram: &[u8]) -> Vec<Outcome> {
        if let Some(flow) = &mut self.flow {
            let outcome = flow.exchange(datagram, self.destination.timeout());
            if outcome.result.is_err() {
                self.flow = None;
            }
            return vec![outcome];
        }
        let Self { destination, flow: kept } = self;
        destination.try_each(|address, limit| {
            let mut flow = match Flow::open(address, destination.source_for(address)) {
                Ok(flow) => flow,
                Err(trouble) => return Outcome::failed(Some(address), trouble),
            };
            let outcome = flow.exchange(datagram, limit);
            *kept = outcome.result.is_ok().then_some(flow);
            outcome
        })
    }
}
