//! One event loop: it waits for readiness, serves everything that is ready,
//! and ends what has run out of time.
//!
//! Readiness is edge-triggered: there is no further event for what a socket already
//! holds. So events only put sockets on a list. A turn takes a bounded number of steps
//! for each socket on the list. A socket that could go on is put on the list of the
//! next turn, and the loop does not sleep while the list holds any.
//!
//! A new connection is served in the turn that accepts it, for its message may be there, and is
//! registered only when it has to wait. Registering announces what a socket holds already.
//!
//! A turn takes all events before it closes or accepts any socket. So no event can be
//! taken for a new connection that was given the token of a closed one.

mod admission;
#[cfg(test)]
mod counts;
mod turn;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::exit::{Failure, reason};
use common::server::interval::Interval;
use common::server::listen::BoundSocket;
use common::server::memory;
use common::server::refusals::Refusals;
use common::server::shutdown::Shutdown;
use common::server::transcript::Transcript;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::connections::Connections;
use crate::departures::Departures;
use crate::events;
use crate::limits::{DISCARD_SIZE, DRAIN, EVENTS_PER_TURN, LAST_LINGER};
use crate::listener::Listener;
use crate::newcomers::Newcomers;
use crate::shared::Shared;
use crate::totals::Totals;

/// The token of the waker. A listener's token is its index; the tokens of connections
/// follow, from [`EventLoop::first_token`] on.
const WAKER: Token = Token(usize::MAX);

/// The readiness that a connection is registered for: there is something to receive,
/// or urgent data, at which a receive stops short (tcp(7)).
const INBOUND: Interest = Interest::READABLE.add(Interest::PRIORITY);

/// One event loop, its listeners and its connections.
#[derive(Debug)]
pub struct EventLoop {
    /// The loop's number among all.
    number: usize,
    shared: Arc<Shared>,
    /// What this loop has done.
    totals: Arc<Totals>,
    poll: Poll,
    events: Events,
    listeners: Vec<Listener>,
    connections: Connections,
    /// The token of the connection with key 0.
    first_token: usize,
    /// How many connections the loop may hold: its share of all.
    room: usize,
    /// How many connections have received a message that counts for `--count`, and not yet
    /// sent the reply.
    replying: u64,
    /// Accepted connections for which there is no room yet.
    newcomers: Newcomers<TcpStream>,
    /// Whether the system refuses to receive from connections, or to send to them; and then the
    /// failure with which the loop ends.
    refusals: Refusals,
    failure: Option<Failure>,
    /// The list: the keys of the connections that the next turn serves.
    ready: Vec<usize>,
    /// The keys of the connections that this turn has accepted.
    accepted: Vec<usize>,
    departures: Departures,
    buffer: Box<[u8]>,
    /// When to print the totals; `None` if another loop does.
    stats: Option<Interval>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Serving,
    /// Nothing is accepted any more. Connections may finish until this instant.
    Draining(Instant),
}

impl EventLoop {
    /// The event loop with this `number`, for `listeners`, with `room` for that many
    /// connections.
    pub fn new(
        number: usize,
        shared: Arc<Shared>,
        mut listeners: Vec<Listener>,
        room: usize,
        stats: Option<Interval>,
    ) -> Result<Self, Failure> {
        let cannot_poll = |error| Failure::cannot_poll(&error);
        memory::check(DISCARD_SIZE)?;
        let poll = Poll::new().map_err(cannot_poll)?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            poll.registry()
                .register(listener.socket_mut(), Token(token), Interest::READABLE)
                .map_err(cannot_poll)?;
        }
        Ok(Self {
            number,
            totals: Arc::clone(&shared.totals[number]),
            departures: Departures::new(shared.terms.linger),
            shared,
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            first_token: listeners.len(),
            listeners,
            connections: Connections::new(room),
            room,
            replying: 0,
            newcomers: Newcomers::new(),
            refusals: Refusals::default(),
            failure: None,
            ready: Vec::new(),
            accepted: Vec::new(),
            buffer: vec![0; DISCARD_SIZE].into(),
            stats,
            phase: Phase::Serving,
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(|error| Failure::cannot_poll(&error))
    }

    /// The addresses that the loop listens on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().map(Listener::address)
    }

    /// The options that the system refused for any of the listeners, and why.
    pub fn refused(&self) -> BTreeMap<&'static str, &str> {
        self.listeners.iter().flat_map(|listener| listener.refused.iter()).collect()
    }

    /// Serves until `shutdown` is requested, and then finishes what is under way.
    pub fn run(&mut self, shutdown: &Shutdown, transcript: &Transcript) -> Result<(), Failure> {
        let mut now = Instant::now();
        while !self.is_over(now) {
            transcript.publish(now);
            self.wait_for_events(self.time_left(now))?;
            // By the end of this turn, whoever came before `previous` has been noticed.
            // Whoever came later may not have been.
            let previous = mem::replace(&mut now, Instant::now());
            self.turn(now)?;
            if self.stats.as_mut().is_some_and(|stats| stats.take_due(now)) {
                events::stats(&self.shared.all_totals());
            }
            if self.shared.goal.note_noticed(self.number, previous) {
                self.look_for_waiting(now);
            }
            shutdown.request_when_over(&self.shared.goal);
            if matches!(self.phase, Phase::Serving) && shutdown.is_requested() {
                self.stop(now);
            }
        }
        self.connections.keys().into_iter().for_each(|key| self.expire(key));
        let refused = |error| Failure::outcome("connections", reason(&error));
        let failure = self.failure.take().or_else(|| self.refusals.under_way().map(refused));
        failure.map_or(Ok(()), Err)
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Serving => false,
            Phase::Draining(until) => self.connections.len() == 0 || now >= until,
        }
    }

    /// Waits for events, for no longer than `timeout`, and puts their sockets on the
    /// list. The tokens of spurious events may belong to no socket; a turn ignores
    /// these.
    fn wait_for_events(&mut self, mut timeout: Option<Duration>) -> Result<(), Failure> {
        while let Err(error) = self.poll.poll(&mut self.events, timeout) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(Failure::cannot_go_on(&error));
            }
            // Ctrl-Z and fg. Look for events again before anything is found to have run
            // out of time.
            timeout = Some(Duration::ZERO);
        }
        for event in &self.events {
            let Token(token) = event.token();
            if let Some(listener) = self.listeners.get_mut(token) {
                listener.is_ready = true;
                continue;
            }
            let Some(key) = token.checked_sub(self.first_token) else {
                continue;
            };
            if let Some(slot) = self.connections.get_mut(key) {
                // The peer's end and urgent data both stop a receive short.
                slot.connection.on_ready(event.is_read_closed() || event.is_priority());
                slot.put_on_list(key, &mut self.ready);
            }
        }
        Ok(())
    }

    /// How long the loop may sleep: not at all while a socket is on the list, else
    /// until the earliest deadline.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() || self.listeners.iter().any(|listener| listener.is_ready) {
            return Some(Duration::ZERO);
        }
        let phase = match self.phase {
            Phase::Serving => self.shared.goal.look_at(self.number),
            Phase::Draining(until) => Some(until),
        };
        let stats = self.stats.map(|stats| stats.next());
        let newcomer = self.newcomers.first_deadline();
        let departure = self.departures.look_at();
        let others = [self.connections.earliest_deadline(), departure, newcomer, stats, phase];
        let rests = self.listeners.iter().filter_map(|listener| listener.rest.until());
        let earliest = others.into_iter().flatten().chain(rests).min();
        earliest.map(|earliest| earliest.saturating_duration_since(now))
    }

    /// Whether `--count` is reached, or will be once the replies under way are sent.
    /// Then no other message is answered, or even read before it is known that the run ends.
    fn has_enough(&self) -> bool {
        self.shared.goal.is_reached(self.replying)
    }

    /// Begins the stop: reads what has come so far, and answers it unless `--count` is reached;
    /// closes the listeners and the silent connections, and lets the other connections finish.
    fn stop(&mut self, now: Instant) {
        self.phase = Phase::Draining(now + DRAIN);
        self.conclude_connections(now);
        self.accept_the_last(now);
        self.listeners.clear();
        // A newcomer for which there is no room now is refused.
        self.newcomers.expire_all(now);
        self.admit_newcomers(now);
        self.conclude_connections(now);
    }

    /// Serves every connection once more. Closes it if it is still silent, and otherwise
    /// lets it finish.
    fn conclude_connections(&mut self, now: Instant) {
        for key in self.connections.keys() {
            self.serve_without_event(key, true, now);
            self.close_if_silent(key);
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.conclude(now + LAST_LINGER);
                self.connections.reschedule(key);
                self.serve(key, now);
            }
        }
    }
}
