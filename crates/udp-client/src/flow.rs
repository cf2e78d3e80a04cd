//! A flow (one source port), the loop that drives an exchange over it, and the
//! session that picks the flow.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::destination::{Destination, Trouble, connected_to_itself};
use common::exit::Failure;
use log::debug;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Type};

use crate::exchange::{Exchange, Socket, Step};

/// More than any datagram holds.
const RECEIVE_SIZE: usize = 64 * 1024;

const SOCKET: Token = Token(0);

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.send(datagram)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv(buffer)
    }
}

/// A socket connected to one peer.
#[derive(Debug)]
struct Flow {
    peer: SocketAddr,
    socket: UdpSocket,
    poll: Poll,
}

impl Flow {
    fn open(peer: SocketAddr, source: Option<SocketAddr>) -> Result<Self, Trouble> {
        let socket = socket2::Socket::new(Domain::for_address(peer), Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        if let Some(source) = source {
            socket.bind(&source.into()).map_err(|error| Trouble::source(source, &error))?;
        }
        socket.connect(&peer.into()).map_err(|error| Trouble::connecting(&error, source))?;
        let mut socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        // As the kernel has it: to 0.0.0.0 it goes to the loopback address.
        if local == socket.peer_addr()? {
            return Err(connected_to_itself().into());
        }
        debug!("[*] Sending from: {local}");
        let poll = Poll::new()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, SOCKET, both)?;
        Ok(Self { peer, socket, poll })
    }

    /// Exchanges `datagram` for a reply, within `limit`.
    fn exchange(&mut self, datagram: &[u8], limit: Duration) -> Result<Vec<u8>, Trouble> {
        let start = Instant::now();
        let mut events = Events::with_capacity(4);
        let mut buffer = vec![0; RECEIVE_SIZE];
        let mut exchange = Exchange::new(&self.socket, datagram);
        loop {
            let step = exchange.step(&mut buffer);
            if let Step::Done(outcome) = step {
                debug!("[*] Over after {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
                buffer.truncate(outcome?);
                return Ok(buffer);
            }
            let time_left = limit.saturating_sub(start.elapsed());
            if time_left.is_zero() {
                return Err(Trouble::none_within("reply", limit));
            }
            if matches!(step, Step::Again) {
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

    /// Exchanges `datagram` for a reply.
    ///
    /// A flow that failed is given up: a reply that comes late finds nobody,
    /// and cannot be taken for the next datagram's.
    pub fn exchange(&mut self, datagram: &[u8]) -> Result<Vec<u8>, Failure> {
        let destination = &self.destination;
        if let Some(mut flow) = self.flow.take() {
            let reply = flow
                .exchange(datagram, destination.timeout())
                .map_err(|trouble| destination.failure(&[(flow.peer, trouble)]))?;
            self.flow = Some(flow);
            return Ok(reply);
        }
        let (reply, flow) = destination.try_each(|peer, limit| {
            let mut flow = Flow::open(peer, destination.source_for(peer))?;
            let reply = flow.exchange(datagram, limit)?;
            Ok((reply, flow))
        })?;
        self.flow = Some(flow);
        Ok(reply)
    }
}
