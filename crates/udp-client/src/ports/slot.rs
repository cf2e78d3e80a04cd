//! A source port in use: its state, and the probe that is out from it.

use std::net::SocketAddr;
use std::time::Instant;

use common::probe::aim::Probe;

use crate::ports::flows::Usage;
use crate::source_port::SourcePort;

/// A port, with the caller's value.
#[derive(Debug)]
pub struct Slot<S> {
    pub flow: u32,
    /// The address of the target that the port is for.
    pub address: SocketAddr,
    pub state: SourcePort,
    pub out: Option<Out>,
    /// Whether the probe that was last sent from the port may have left from other ports, too.
    pub is_in_race: bool,
    /// The lower, the earlier its turn comes: since when the port is open or, if ports take
    /// turns, since when it is free.
    pub rank: u64,
    pub socket: S,
}

/// A probe that is out, or about to be sent.
#[derive(Debug)]
pub struct Out {
    /// The probe.
    pub probe: Probe,
    /// When the probe's datagram was sent last; none if it was not sent.
    pub sent: Option<Instant>,
}

/// What ends at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The time of the probe that is out.
    Probe,
    /// The time for which the only port of a flow is quiet.
    Quiet,
}

/// What a port is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To send a probe.
    Free,
    /// To receive the reply to the probe that is out.
    Out,
    /// To listen, until this time at least.
    Quiet(Instant),
}

impl<S> Slot<S> {
    /// What the port is good for.
    pub fn place(&self) -> Place {
        match (&self.out, self.state.quiet_until()) {
            (Some(_), _) => Place::Out,
            (None, Some(until)) => Place::Quiet(until),
            (None, None) => Place::Free,
        }
    }

    /// Whether a probe may be sent from the port.
    pub fn is_free(&self) -> bool {
        self.place() == Place::Free
    }

    /// When the time of the port's probe is up, or the port is free again.
    pub fn next_end(&self, usage: Usage) -> Option<Instant> {
        match self.place() {
            Place::Free => None,
            Place::Out => self.out.as_ref().map(|out| out.probe.given_up_at()),
            Place::Quiet(until) => (usage == Usage::Only).then_some(until),
        }
    }
}
