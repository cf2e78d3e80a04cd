//! A probe over a connection: the exchange, and its times.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::probe::aim::Probe;
use common::probe::arrival;
use common::probe::outcome::Outcome;
use common::probe::outcome::trouble::Trouble;

use crate::exchange::{Exchange, Request, Step};
use crate::stream::{Connection, Handshake};

/// A probe whose connection is being made, or stands.
#[derive(Debug)]
pub struct Attempt<'m> {
    pub probe: Probe,
    request: Request<'m>,
    exchange: Exchange<'m, Connection>,
    local: SocketAddr,
    connected: Option<Connected>,
    /// When the first piece of the reply arrived, if the reply came in pieces.
    answered: Option<Instant>,
    handshake: Option<Handshake>,
}

/// A connection that stands.
#[derive(Clone, Copy, Debug)]
struct Connected {
    /// How long it took to connect.
    took: Duration,
    /// When the message began to be sent.
    sent: Instant,
}

impl<'m> Attempt<'m> {
    /// An attempt of `probe` over `connection`, which is being made.
    pub fn new(probe: Probe, connection: Connection, request: Request<'m>) -> Self {
        let (local, exchange) = (connection.local(), Exchange::new(connection, request));
        let (connected, answered, handshake) = (None, None, None);
        Self { probe, request, exchange, local, connected, answered, handshake }
    }

    /// Goes on with the exchange as far as possible, and returns the outcome once there is
    /// one. The socket was ready at `woken`. If it was ready for writing alone
    /// (`is_for_writing`), there is nothing to receive yet, and the reply will wake the loop
    /// again. The lengths of the message and of the expected reply bound how long this takes.
    pub fn step(&mut self, woken: Instant, is_for_writing: bool) -> Option<Outcome> {
        if is_for_writing {
            self.exchange.stream_mut().note_writable();
        }
        loop {
            match self.exchange.step() {
                Step::Done(result) => return Some(self.outcome(result, woken)),
                Step::Connected => self.connected(),
                Step::Sent if is_for_writing => return None,
                Step::Wait => return None,
                Step::Received => self.answered = self.answered.or(Some(self.arrived(woken))),
                Step::Again | Step::Sent => {}
            }
        }
    }

    /// Whether the connection stands, or has stood.
    pub fn stands(&self) -> bool {
        self.connected.is_some()
    }

    /// Notes that the connection stands, and how long that took: as the kernel measured it, so
    /// that the loop's own delay is not the network's, or else until now. The message is sent
    /// next, so the reply's time begins here.
    fn connected(&mut self) {
        let seen = Instant::now();
        let connection = self.exchange.stream_mut();
        connection.stands();
        self.handshake = connection.handshake();
        let measured = self.handshake.and_then(|handshake| handshake.round_trip);
        let took = measured.unwrap_or_else(|| seen - self.probe.begun());
        self.connected = Some(Connected { took, sent: Instant::now() });
    }

    /// The outcome, when the probe's time is up.
    pub fn timed_out(&mut self) -> Outcome {
        let result = self.exchange.timed_out(self.probe.limit());
        self.outcome(result, Instant::now())
    }

    /// When the bytes that were just received arrived, by the kernel's stamp. Without one: if
    /// the loop waited for them after the connection stood, at `woken`, when the socket was
    /// ready; if it did not have to wait, now.
    fn arrived(&mut self, woken: Instant) -> Instant {
        let sent = self.connected.map(|connected| connected.sent);
        let seen = if sent.is_some_and(|sent| woken > sent) { woken } else { Instant::now() };
        let stamp = self.exchange.stream_mut().stamp();
        arrival::arrived(stamp, sent.unwrap_or(seen), seen)
    }

    fn outcome(&mut self, result: Result<Vec<u8>, Trouble>, woken: Instant) -> Outcome {
        let connected = self.connected.filter(|_| result.is_ok());
        let answered = connected.map(|_| self.answered.unwrap_or_else(|| self.arrived(woken)));
        // A reply is in time if it came in time, however late it is read.
        let is_late = answered.is_some_and(|at| at > self.probe.ends_at());
        let result = if is_late { Err(Trouble::silent(self.probe.limit())) } else { result };
        let reply = answered.filter(|_| !is_late).zip(connected);
        let reply = reply.map(|(at, connected)| at.saturating_duration_since(connected.sent));
        if self.connected.is_none() {
            self.handshake = self.exchange.stream_mut().handshake();
        }
        let result = result.and_then(|reply| self.request.expected_reply.judge(reply));
        Outcome {
            local: Some(self.local),
            connect: self.connected.map(|connected| connected.took),
            syn_retransmits: self.handshake.map(|handshake| handshake.syn_retransmits),
            reply,
            ..Outcome::of(Some(self.probe.address()), result)
        }
        .without_own_address_as_router()
    }

    /// Closes the connection, and returns the probe.
    pub fn close(self) -> Probe {
        self.probe
    }

    /// The port that the connection is made from.
    pub fn source_port(&self) -> u16 {
        self.local.port()
    }
}
