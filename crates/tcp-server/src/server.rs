//! The event loop: it waits for readiness, gives everything that is ready its
//! turn, and ends what has run out of time.
//!
//! Readiness is edge-triggered: what stops before it has drained its socket
//! gets no new event. So events only add to a list of what is ready; a turn
//! gives each on the list a bounded number of steps, and what could have gone
//! on is on the next turn's list, before which the loop does not sleep.
//!
//! All events of a turn are taken before any socket is closed or accepted, so
//! none can be meant for a connection that had the same token before.

mod turn;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::counter::Counter;
use common::exit::{Failure, reason};
use common::goal::Goal;
use common::interval::Interval;
use common::listen::Listening;
use common::reply::Reply;
use common::shutdown::Shutdown;
use common::transcript::Transcript;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::cli::Options;
use crate::connections::Connections;
use crate::events;
use crate::limits::{DISCARD_SIZE, DRAIN, EVENTS_PER_TURN, LAST_LINGER, Terms};
use crate::listener::Listener;
use crate::sources::Sources;
use crate::totals::Totals;

/// The token of the waker. Those of the listeners count from zero, and the
/// connections' follow: [`Server::first_key`].
const WAKER: Token = Token(usize::MAX);

/// What the event loops of one server have together.
#[derive(Debug)]
pub struct Shared {
    pub totals: Totals,
    pub goal: Goal,
    /// The number of the last reply.
    replies: Counter,
    sources: Arc<Sources>,
    reply: Reply,
    terms: Terms,
    /// How many connections each loop may hold.
    connections_each: usize,
}

impl Shared {
    pub fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            totals: Totals::default(),
            goal: options.service.goal(Instant::now()),
            replies: Counter::default(),
            sources: Sources::new(options.max_per_source()),
            reply: Reply::new(&options.reply, options.service.witness),
            terms: options.terms(),
            connections_each: options.connections_each(),
        })
    }
}

/// One event loop: its sockets, and what is to be done with them.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    poll: Poll,
    events: Events,
    listeners: Vec<Listener>,
    connections: Connections,
    /// The token of the connection with key 0.
    first_key: usize,
    /// The tokens that are due for a turn.
    ready: BTreeSet<usize>,
    buffer: Box<[u8]>,
    /// When the totals are due, in the loop that tells them.
    stats: Option<Interval>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Serving,
    /// Nobody is accepted any more; replies under way are finished until then.
    Draining(Instant),
}

impl Server {
    /// An event loop for the listeners of each worker; the first one tells the
    /// totals.
    pub fn each(
        workers: Vec<Vec<Listener>>,
        options: &Options,
        shared: &Arc<Shared>,
    ) -> Result<Vec<Self>, Failure> {
        let mut stats = options.service.stats(Instant::now());
        workers.into_iter().map(|listeners| Self::new(listeners, shared, stats.take())).collect()
    }

    fn new(
        mut listeners: Vec<Listener>,
        shared: &Arc<Shared>,
        stats: Option<Interval>,
    ) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(unavailable)?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            let socket = listener.socket_mut();
            poll.registry()
                .register(socket, Token(token), Interest::READABLE)
                .map_err(unavailable)?;
        }
        Ok(Self {
            shared: Arc::clone(shared),
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            first_key: listeners.len(),
            listeners,
            connections: Connections::default(),
            ready: BTreeSet::new(),
            buffer: vec![0; DISCARD_SIZE].into(),
            stats,
            phase: Phase::Serving,
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(unavailable)
    }

    /// Says where it listens.
    pub fn announce(&self) {
        for listener in &self.listeners {
            events::listening(listener.address());
        }
    }

    /// Serves until `shutdown` is requested, and everybody is served.
    pub fn run(&mut self, shutdown: &Shutdown, transcript: &Transcript) -> Result<(), Failure> {
        let mut now = Instant::now();
        while !self.is_over(now) {
            transcript.publish();
            self.hear(self.time_left(now))?;
            let before = mem::replace(&mut now, Instant::now());
            self.turn(now)?;
            if self.stats.as_mut().is_some_and(|stats| stats.is_due(now)) {
                events::stats(&self.shared.totals);
            }
            if matches!(self.phase, Phase::Serving) && self.is_to_stop(shutdown, before) {
                self.stop_listening(now);
            }
        }
        self.connections.keys().into_iter().for_each(|key| self.expire(key));
        Ok(())
    }

    /// Whether to stop: on request, or because the run's goal is reached or
    /// missed, of which the other loops then hear too. Nobody came only as far
    /// as everybody was `heard`: who came while this process was stopped
    /// (Ctrl-Z) has come, although the clock is past the end.
    fn is_to_stop(&self, shutdown: &Shutdown, heard: Instant) -> bool {
        let exchanges = self.shared.totals.exchanges.get();
        if !shutdown.is_requested() && self.shared.goal.is_over(exchanges, heard) {
            shutdown.request();
        }
        shutdown.is_requested()
    }

    /// How long the loop may sleep: not at all while something is ready, else
    /// until the earliest deadline of anything.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let phase = match self.phase {
            Phase::Serving => self.shared.goal.idle_at(),
            Phase::Draining(until) => Some(until),
        };
        let rested = self.listeners.iter().filter_map(|listener| listener.rest.until());
        let stats = self.stats.map(|stats| stats.next());
        let deadlines = [self.connections.earliest_deadline(), stats, phase];
        let earliest = deadlines.into_iter().flatten().chain(rested).min();
        earliest.map(|earliest| earliest.saturating_duration_since(now))
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Serving => false,
            Phase::Draining(until) => self.connections.len() == 0 || now >= until,
        }
    }

    /// Waits for events, for `timeout` at most, and puts what they are about
    /// on the list. Tokens that nothing has, as spurious events may, come to
    /// nothing.
    fn hear(&mut self, timeout: Option<Duration>) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            // Ctrl-Z and fg; whatever `events` still holds was seen.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(broken(error)),
        }
        for event in &self.events {
            let Token(token) = event.token();
            if let Some(key) = token.checked_sub(self.first_key)
                && let Some(slot) = self.connections.get_mut(key)
            {
                slot.connection.ready(event.is_read_closed());
            }
            if event.token() != WAKER {
                self.ready.insert(token);
            }
        }
        Ok(())
    }

    /// Whether `--count` is reached: nobody else is answered.
    fn has_enough(&self) -> bool {
        self.shared.goal.left(self.shared.totals.exchanges.get()) == 0
    }

    /// Answers whoever has come so far, leaves those who are silent, stays for
    /// those whose reply is under way, and a moment for those who have theirs.
    fn stop_listening(&mut self, now: Instant) {
        self.phase = Phase::Draining(now + DRAIN);
        self.last_turn(now);
        if !self.has_enough() {
            self.accept_the_last(now);
        }
        self.listeners.clear();
        self.last_turn(now);
    }

    /// Gives every connection a turn, leaves those who have said nothing, and
    /// has the others come to their end.
    fn last_turn(&mut self, now: Instant) {
        for key in self.connections.keys() {
            // Its message or its end may be here, although no event has said
            // so yet.
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.ready(true);
            }
            self.serve(key, now);
            self.leave(key);
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.conclude(now + LAST_LINGER);
                self.connections.reschedule(key);
                self.serve(key, now);
            }
        }
    }
}

/// The event loop cannot be set up.
fn unavailable(error: io::Error) -> Failure {
    Failure::local("event loop", reason(&error))
}

/// The event loop itself cannot go on.
fn broken(error: io::Error) -> Failure {
    Failure::outcome("event loop", reason(&error))
}
