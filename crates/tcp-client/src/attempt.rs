//! A probe over a connection: an exchange, and its times.

use std::net::SocketAddr;
use std::time::Instant;

use common::probe::aim::Probe;
use common::probe::ledger::FIRST_RETRANSMISSION;
use common::probe::outcome::Outcome;
use common::probe::outcome::trouble::Trouble;

use crate::exchange::{Exchange, Step};
use crate::stream::{Connecting, Connection};

/// What is to be exchanged, and how.
#[derive(Clone, Copy, Debug)]
pub struct Order<'m> {
    pub message: &'m [u8],
    /// Whether this side is to be ended after the message.
    pub half_close: bool,
    /// The reply that is hoped for.
    pub hoped: Option<&'m [u8]>,
}

/// A probe whose connection is being made, or stands.
#[derive(Debug)]
pub struct Attempt<'m> {
    pub probe: Probe,
    exchange: Exchange<'m, Connection>,
    local: SocketAddr,
    connected: Option<Instant>,
    /// When the beginning of the reply was here, where it came in pieces.
    answered: Option<Instant>,
    syn_retransmits: Option<u32>,
}

impl<'m> Attempt<'m> {
    /// `probe`, over a connection that is being made.
    pub fn new(probe: Probe, connection: Connection, order: Order<'m>) -> Self {
        let local = connection.local();
        let exchange = Exchange::new(connection, order.message, order.half_close, order.hoped);
        Self { probe, exchange, local, connected: None, answered: None, syn_retransmits: None }
    }

    /// Does what there is to do, after the socket was ready at `woken`: what came
    /// of it, once something has. (There is no more of it than the message, and the
    /// reply that is hoped for.) Where it was ready for writing alone, nothing has
    /// come that could be received: what comes later wakes the loop again.
    pub fn go(&mut self, woken: Instant, is_for_writing: bool) -> Option<Outcome> {
        if is_for_writing {
            self.exchange.stream_mut().writable();
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

    /// The message goes next: its time begins here.
    fn connected(&mut self) {
        let now = Instant::now();
        self.connected = Some(now);
        if now - self.probe.begun > FIRST_RETRANSMISSION {
            self.syn_retransmits = self.exchange.stream_mut().retransmits();
        }
    }

    /// What came of it, when its time is up.
    pub fn timed_out(&mut self) -> Outcome {
        let result = self.exchange.timed_out(self.probe.limit);
        self.outcome(result, Instant::now())
    }

    /// What is received was there when the socket was ready; but what came so fast
    /// that nothing was waited for, is there now.
    fn arrived(&self, woken: Instant) -> Instant {
        if self.connected.is_some_and(|connected| woken > connected) {
            woken
        } else {
            Instant::now()
        }
    }

    fn outcome(&self, result: Result<Vec<u8>, Trouble>, woken: Instant) -> Outcome {
        let reply = self.connected.filter(|_| result.is_ok()).map(|connected| {
            let arrived = self.answered.unwrap_or_else(|| self.arrived(woken));
            arrived.saturating_duration_since(connected)
        });
        Outcome {
            local: Some(self.local),
            connect: self.connected.map(|connected| connected - self.probe.begun),
            syn_retransmits: self.syn_retransmits,
            reply,
            ..Outcome::of(Some(self.probe.address()), result)
        }
        .without_own_word()
    }

    /// Closes the connection.
    pub fn into_probe(self) -> Probe {
        self.probe
    }

    /// The port that it is sent from.
    pub fn source_port(&self) -> u16 {
        self.local.port()
    }
}
