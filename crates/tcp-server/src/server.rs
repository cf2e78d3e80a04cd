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

mod admission;
mod turn;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::server::goal::Goal;
use common::server::interval::Interval;
use common::server::listen::BoundSocket;
use common::server::peer::Peer;
use common::server::reply::Reply;
use common::server::shutdown::Shutdown;
use common::server::totals::Counter;
use common::server::transcript::Transcript;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::cli::Options;
use crate::connection::Terms;
use crate::connections::Connections;
use crate::events;
use crate::limits::{DISCARD_SIZE, DRAIN, EVENTS_PER_TURN, LAST_LINGER, Limit};
use crate::listener::Listener;
use crate::sources::Sources;
use crate::totals::Totals;

/// The token of the waker. Those of the listeners count from zero, and the
/// connections' follow: [`Server::first_key`].
const WAKER: Token = Token(usize::MAX);

/// What a connection is to be told of: what it can receive, and urgent data,
/// at which a receive stops short (tcp(7)).
const INBOUND: Interest = Interest::READABLE.add(Interest::PRIORITY);

/// What the event loops of one server have together.
#[derive(Debug)]
pub struct Shared {
    pub totals: Totals,
    goal: Goal,
    /// The number of the last reply.
    replies: Counter,
    sources: Arc<Sources>,
    reply: Reply,
    terms: Terms,
    /// How many connections the loops may hold, all together.
    most_connections: usize,
}

impl Shared {
    /// For loops with so many `listeners`, which take descriptors too.
    pub fn new(options: &Options, listeners: usize) -> Arc<Self> {
        Arc::new(Self {
            totals: Totals::default(),
            goal: options.service.goal(Instant::now()),
            replies: Counter::default(),
            sources: Sources::new(options.max_per_source()),
            reply: Reply::new(&options.reply, options.service.witness),
            terms: options.terms(),
            most_connections: options.max_connections(listeners),
        })
    }

    /// What the run came to.
    pub fn verdict(&self) -> Result<(), Failure> {
        self.goal.check(self.totals.exchanges.get(), self.totals.connections.get())
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
    /// How many connections it may hold: its share of all.
    room: usize,
    /// How many replies are under way.
    replying: u64,
    /// Those who came when there was no place for them, the oldest first.
    undecided: Vec<Newcomer>,
    /// The token of the connection with key 0.
    first_key: usize,
    /// The tokens that are due for a turn.
    ready: BTreeSet<usize>,
    buffer: Box<[u8]>,
    /// When the totals are due, in the loop that tells them.
    stats: Option<Interval>,
    phase: Phase,
}

/// A connection for which there was no place when it was accepted.
#[derive(Debug)]
struct Newcomer {
    stream: TcpStream,
    peer: Peer,
    /// The limit that it met.
    limit: Limit,
    /// How long it may wait.
    until: Instant,
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
        let rooms = shares(shared.most_connections, workers.len());
        let each = workers.into_iter().zip(rooms);
        each.map(|(listeners, room)| Self::new(listeners, room, shared, stats.take())).collect()
    }

    fn new(
        mut listeners: Vec<Listener>,
        room: usize,
        shared: &Arc<Shared>,
        stats: Option<Interval>,
    ) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(|error| Failure::cannot_poll(&error))?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            let socket = listener.socket_mut();
            poll.registry()
                .register(socket, Token(token), Interest::READABLE)
                .map_err(|error| Failure::cannot_poll(&error))?;
        }
        Ok(Self {
            shared: Arc::clone(shared),
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            first_key: listeners.len(),
            listeners,
            connections: Connections::default(),
            room,
            replying: 0,
            undecided: Vec::new(),
            ready: BTreeSet::new(),
            buffer: vec![0; DISCARD_SIZE].into(),
            stats,
            phase: Phase::Serving,
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(|error| Failure::cannot_poll(&error))
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
            if self.stats.as_mut().is_some_and(|stats| stats.take_due(now)) {
                events::stats(&self.shared.totals);
            }
            let exchanges = self.shared.totals.exchanges.get();
            shutdown.request_when_over(&self.shared.goal, exchanges, before);
            if matches!(self.phase, Phase::Serving) && shutdown.is_requested() {
                self.stop_listening(now);
            }
        }
        self.connections.keys().into_iter().for_each(|key| self.expire(key));
        Ok(())
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
        let undecided = self.undecided.first().map(|newcomer| newcomer.until);
        let deadlines = [self.connections.earliest_deadline(), undecided, stats, phase];
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
    fn hear(&mut self, mut timeout: Option<Duration>) -> Result<(), Failure> {
        while let Err(error) = self.poll.poll(&mut self.events, timeout) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(Failure::cannot_go_on(&error));
            }
            // Ctrl-Z and fg: who came meanwhile is heard before anybody's time
            // is found to have run out.
            timeout = Some(Duration::ZERO);
        }
        for event in &self.events {
            let Token(token) = event.token();
            if let Some(key) = token.checked_sub(self.first_key)
                && let Some(slot) = self.connections.get_mut(key)
            {
                // Both stop a receive short: the end, and urgent data.
                slot.connection.ready(event.is_read_closed() || event.is_priority());
            }
            if event.token() != WAKER {
                self.ready.insert(token);
            }
        }
        Ok(())
    }

    /// Whether `--count` is reached, or will be by what is under way: nobody
    /// else is answered.
    fn has_enough(&self) -> bool {
        self.shared.goal.is_reached(self.shared.totals.exchanges.get() + self.replying)
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
        self.undecided.iter_mut().for_each(|newcomer| newcomer.until = now);
        self.decide(now);
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

/// `most` in `parts` that differ by one at most.
fn shares(most: usize, parts: usize) -> impl Iterator<Item = usize> {
    (0..parts).map(move |n| most / parts + usize::from(n < most % parts))
}
