//! A probe over a connection: the exchange, and its times.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::printable::printable;
use common::probe::aim::Probe;
use common::probe::arrival::{self, Arrival};
use common::probe::outcome::Outcome;
use common::probe::outcome::expected_reply::ExpectedReply;
use common::probe::outcome::trouble::Trouble;
use common::probe::poller::Ready;
use common::probe::verbose;

use crate::exchange::{Exchange, Goal, Reply, Request, Step};
use crate::stream::Connection;
use crate::tcp_info::Handshake;

/// How long to wait for more of a reply whose peer has not ended its side, or twice the time
/// to connect, if that is longer. A server that writes its reply in pieces writes them sooner
/// than this, unless it has to compute.
const SETTLE: Duration = Duration::from_millis(100);

/// How long to wait for the greeting of a server that speaks first, or twice the time to connect,
/// if that is longer. Such a server greets as soon as it accepts; one that looks up its client's
/// name first (sshd with UseDNS) most often has the answer in this time.
const GREETING: Duration = Duration::from_millis(500);

/// A probe whose connection is being made, or stands.
#[derive(Debug)]
pub struct Attempt<'m> {
    pub probe: Probe,
    request: Request<'m>,
    exchange: Exchange<'m, Connection>,
    local: SocketAddr,
    connected: Option<Connected>,
    /// When the first bytes of the reply arrived.
    answered: Option<Arrival>,
    settling: Settling,
    handshake: Option<Handshake>,
}

/// When the reply is taken for whole, unless more of it comes.
#[derive(Clone, Copy, Debug)]
enum Settling {
    /// It has not begun, or more of it has to come.
    No,
    /// A while after the loop next waits for more: most often there is no more to wait for.
    Begins,
    /// At this time.
    At(Instant),
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
        let (connected, answered, settling, handshake) = (None, None, Settling::No, None);
        Self { probe, request, exchange, local, connected, answered, settling, handshake }
    }

    /// Goes on with the exchange as far as possible, and returns the outcome once there is
    /// one. The socket was `ready` at `woken`. If it was ready for writing alone, there is
    /// nothing to receive yet, and the reply will wake the loop again. The lengths of the
    /// message and of the longest reply bound how long this takes.
    pub fn step(&mut self, woken: Instant, ready: Ready, buffer: &mut [u8]) -> Option<Outcome> {
        self.exchange.stream_mut().note_ready(ready);
        loop {
            match self.exchange.step(buffer) {
                Step::Done(result) => return Some(self.done(result, woken)),
                Step::Connected => self.connected(),
                Step::Sent if ready.is_for_writing => return None,
                Step::Wait if self.has_enough() => return Some(self.timed_out()),
                Step::Wait => {
                    self.settle();
                    return None;
                }
                Step::Received => self.received(woken),
                Step::Again | Step::Sent => {}
            }
        }
    }

    /// Whether a reply has come and no more of it is waited for.
    fn has_enough(&self) -> bool {
        let must_end = matches!(self.request.expected_reply, ExpectedReply::Whole(_));
        self.is_settling() && !self.request.reading.waits_for_more && !must_end
    }

    /// Whether the connection stands, or has stood.
    pub fn stands(&self) -> bool {
        self.connected.is_some()
    }

    /// Notes that the connection stands, and how long that took: as the kernel measured it, so
    /// that the loop's own delay is not the network's, or else until now. The message is sent
    /// next, so the reply's time begins here.
    fn connected(&mut self) {
        // To ask the kernel takes a while, the first time some milliseconds.
        let seen = Instant::now();
        self.handshake = self.exchange.stream_mut().handshake();
        let measured = self.handshake.and_then(|handshake| handshake.round_trip);
        let took = measured.unwrap_or_else(|| seen - self.probe.begun());
        self.connected = Some(Connected { took, sent: Instant::now() });
        if self.request.goal == Goal::Greeting {
            self.settling = Settling::Begins;
        }
    }

    /// Notes that some of the reply was received. The rest may still come.
    fn received(&mut self, woken: Instant) {
        self.note_answer(woken);
        let needs_more = self.exchange.needs_more();
        self.settling = if needs_more { Settling::No } else { Settling::Begins };
    }

    /// Notes when the first bytes of the reply arrived.
    fn note_answer(&mut self, woken: Instant) {
        if self.answered.is_none() {
            self.answered = Some(self.arrived(woken));
        }
    }

    /// Notes that the loop now waits for more of the reply, if what has come may be all of it.
    fn settle(&mut self) {
        if matches!(self.settling, Settling::Begins) {
            let round_trip = self.connected.map_or(Duration::ZERO, |connected| connected.took);
            let least = if self.request.goal == Goal::Reply { SETTLE } else { GREETING };
            self.settling = Settling::At(Instant::now() + least.max(round_trip * 2));
        }
    }

    /// When nothing more is waited for: the probe's time is up, or no more of the reply has
    /// come for a while.
    pub fn ends_at(&self) -> Instant {
        let ends_at = self.probe.given_up_at();
        match self.settling {
            Settling::At(settled) => settled.min(ends_at),
            Settling::No | Settling::Begins => ends_at,
        }
    }

    /// Whether a reply has come that is whole, unless more of it comes.
    pub fn is_settling(&self) -> bool {
        !matches!(self.settling, Settling::No)
    }

    /// The outcome when nothing more is waited for.
    pub fn timed_out(&mut self) -> Outcome {
        let result = self.exchange.timed_out(self.probe.limit());
        self.outcome(result)
    }

    /// The outcome of an exchange that is over, by bytes that were just received if
    /// none came before.
    fn done(&mut self, result: Result<Reply, Trouble>, woken: Instant) -> Outcome {
        if result.is_ok() && self.request.goal == Goal::Reply {
            self.note_answer(woken);
        }
        self.outcome(result)
    }

    /// When the bytes that were just received arrived, by the kernel's stamp. Without one: if
    /// the loop waited for them after the connection stood, at `woken`, when the socket was
    /// ready; if it did not have to wait, now.
    fn arrived(&mut self, woken: Instant) -> Arrival {
        let sent = self.connected.map(|connected| connected.sent);
        let seen = if sent.is_some_and(|sent| woken > sent) { woken } else { Instant::now() };
        let stamp = self.exchange.stream_mut().stamp();
        arrival::arrived(stamp, sent.unwrap_or(self.probe.begun()), seen)
    }

    fn outcome(&mut self, result: Result<Reply, Trouble>) -> Outcome {
        if self.connected.is_none() {
            self.handshake = self.exchange.stream_mut().handshake();
        }
        let connect = self.connected.map(|connected| connected.took);
        let syn_retransmits = self.handshake.map(|handshake| handshake.syn_retransmits);
        if let (Ok(said), true) = (&result, self.request.goal != Goal::Reply) {
            show_greeting(&said.bytes);
            let stands = Outcome::connected(self.probe.address(), connect);
            return Outcome { local: Some(self.local), syn_retransmits, ..stands };
        }
        // A reply is in time if it came in time, however late it is read.
        let result = match self.answered {
            Some(Arrival { at, .. }) if at > self.probe.ends_at() => {
                Err(Trouble::silent(self.probe.limit()))
            }
            _ => result,
        };
        let answered = self.answered.filter(|_| result.is_ok()).zip(self.connected);
        let begun = self.probe.begun();
        let complete = result.as_ref().map_or(None, |reply| reply.complete);
        let result = result.and_then(|reply| self.request.expected_reply.judge(reply.bytes));
        Outcome {
            local: Some(self.local),
            connect,
            syn_retransmits,
            reply: answered
                .map(|(arrival, connected)| arrival.at.saturating_duration_since(connected.sent)),
            host: answered.and_then(|(arrival, _)| arrival.lay),
            took: answered.map(|(arrival, _)| arrival.at.saturating_duration_since(begun)),
            complete,
            ..Outcome::of(Some(self.probe.address()), result)
        }
        .without_own_address_as_router()
    }

    /// Makes the close reset a connection that stands, and free its port at once: so the probe's way
    /// can be traced from there.
    pub fn reset_at_close(&mut self) {
        self.exchange.stream_mut().reset_at_close();
    }

    /// Closes the connection, and returns the probe.
    pub fn close(self: Box<Self>) -> Probe {
        self.probe
    }
}

/// Shows what a server that speaks first has said.
fn show_greeting(bytes: &[u8]) {
    let line = bytes.trim_ascii_end();
    if !line.is_empty() {
        verbose::say(format_args!("[*] Greeting: {}", printable(line)));
    }
}
