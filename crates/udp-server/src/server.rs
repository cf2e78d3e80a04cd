//! The event loop: it waits for datagrams, and answers them.
//!
//! Readiness is edge-triggered: a socket that is not drained when its share of
//! a turn is used up gets no new event, so it stays on the list of what is
//! ready, and the loop does not sleep while that list holds any.

mod turn;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::protocol::UDP_REPLY;
use common::server::goal::Goal;
use common::server::interval::Interval;
use common::server::listen::BoundSocket;
use common::server::reply::Reply;
use common::server::rest::Throttle;
use common::server::shutdown::Shutdown;
use common::server::totals::Counter;
use common::server::transcript::Transcript;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::batch::{Batch, Run};
use crate::cli::Options;
use crate::events;
use crate::guard::{Cause, Guard};
use crate::limits::{EVENTS_PER_TURN, HEADERS, LAST_TURNS};
use crate::listener::Listener;
use crate::totals::Totals;

/// The token of the waker; those of the sockets count from zero.
const WAKER: Token = Token(usize::MAX);

/// What the event loops of one server have together.
#[derive(Debug)]
pub struct Shared {
    pub totals: Totals,
    goal: Goal,
    /// The number of the last reply.
    replies: Counter,
    reply: Reply,
    guard: Guard,
    is_limited: bool,
    /// Of datagrams that are not answered, for each cause.
    warnings: Mutex<[Throttle; Cause::COUNT]>,
}

impl Shared {
    pub fn new(options: &Options) -> Arc<Self> {
        let reply = Reply::new(&options.reply, options.service.witness);
        Arc::new(Self {
            totals: Totals::default(),
            goal: options.service.goal(Instant::now()),
            replies: Counter::default(),
            guard: Guard::new(reply.clone(), options.allow_low_ports, options.rate),
            reply,
            is_limited: options.rate > 0,
            warnings: Mutex::default(),
        })
    }

    /// What the run came to.
    pub fn verdict(&self) -> Result<(), Failure> {
        self.goal.check(self.totals.exchanges.get(), self.totals.datagrams.get())
    }
}

/// One event loop: its sockets, and what is to be done with them.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    poll: Poll,
    listeners: Vec<Listener>,
    /// The tokens of the sockets that may have datagrams.
    ready: BTreeSet<usize>,
    batch: Batch,
    run: Run,
    /// When the totals are due, in the loop that tells them.
    stats: Option<Interval>,
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
        let poll = Poll::new().map_err(|error| Failure::cannot_poll(&error))?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            let socket = &mut listener.socket;
            poll.registry()
                .register(socket, Token(token), Interest::READABLE)
                .map_err(|error| Failure::cannot_poll(&error))?;
            shared
                .totals
                .kernel
                .watch(&listener.socket)
                .map_err(|error| Failure::cannot_poll(&error))?;
        }
        Ok(Self {
            shared: Arc::clone(shared),
            poll,
            listeners,
            ready: BTreeSet::new(),
            batch: Batch::new(),
            run: Run::default(),
            stats,
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(|error| Failure::cannot_poll(&error))
    }

    /// Says where it listens; and where others can reach it, whether forged
    /// requests could make it send somebody much more than they are.
    pub fn announce(&self) {
        for listener in &self.listeners {
            events::listening(listener.address());
        }
        let longest = self.shared.reply.longest();
        let is_local = |listener: &Listener| listener.address().ip().to_canonical().is_loopback();
        if longest > UDP_REPLY.len()
            && !self.shared.is_limited
            && !self.listeners.iter().all(is_local)
        {
            events::may_amplify(HEADERS, HEADERS + longest);
        }
    }

    /// Serves until `shutdown` is requested.
    pub fn run(&mut self, shutdown: &Shutdown, transcript: &Transcript) -> Result<(), Failure> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut is_waiting = false;
        let mut now = Instant::now();
        while !shutdown.is_requested() {
            // Said when the loop goes back to waiting, and only then: not
            // while datagrams are left, nor for a Ctrl-Z that woke it.
            if self.ready.is_empty() && !mem::replace(&mut is_waiting, true) {
                events::waiting();
            }
            transcript.publish();
            match self.poll.poll(&mut events, self.time_left(now)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
                Err(error) => return Err(Failure::cannot_go_on(&error)),
            }
            let tokens = events.iter().map(|event| event.token());
            self.ready.extend(tokens.filter(|&token| token != WAKER).map(|Token(token)| token));
            // Whoever came before this instant is heard in this turn. Who came
            // while this process was stopped (Ctrl-Z) has come, although the
            // clock is past the end.
            let before = mem::replace(&mut now, Instant::now());
            is_waiting &= self.turn(now)? == 0;
            if self.stats.as_mut().is_some_and(|stats| stats.take_due(now)) {
                events::stats(&self.shared.totals);
            }
            let exchanges = self.shared.totals.exchanges.get();
            shutdown.request_when_over(&self.shared.goal, exchanges, before);
        }
        self.answer_the_last()
    }

    /// Answers what had come before the request to stop, within bounds.
    fn answer_the_last(&mut self) -> Result<(), Failure> {
        self.ready.extend(0..self.listeners.len());
        self.listeners.iter_mut().for_each(|listener| listener.rest.end_early());
        for _ in 0..LAST_TURNS {
            if self.has_enough() || self.ready.is_empty() {
                break;
            }
            self.turn(Instant::now())?;
        }
        Ok(())
    }

    /// Whether `--count` is reached: nobody else is answered.
    fn has_enough(&self) -> bool {
        self.shared.goal.is_reached(self.shared.totals.exchanges.get())
    }

    /// How long the loop may sleep: not at all while something is ready, else
    /// until a socket has rested, or something else is due.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let rested = self.listeners.iter().filter_map(|listener| listener.rest.until());
        let due = [self.stats.map(|stats| stats.next()), self.shared.goal.idle_at()];
        let earliest = rested.chain(due.into_iter().flatten()).min();
        earliest.map(|earliest| earliest.saturating_duration_since(now))
    }
}
