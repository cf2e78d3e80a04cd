//! One event loop: it waits for datagrams and answers them.
//!
//! Readiness is edge-triggered: there is no further event for datagrams that a socket
//! already holds. So a socket that still holds some when its share of a turn is used
//! up stays ready, and the loop does not sleep while any socket is.

#[cfg(test)]
mod counts;
mod turn;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::exit::Failure;
use common::server::interval::Interval;
use common::server::listen::BoundSocket;
use common::server::memory;
use common::server::shutdown::Shutdown;
use common::server::transcript::Transcript;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::batch::Batch;
use crate::drops::Watched;
use crate::events;
use crate::limits::{EVENTS_PER_TURN, LAST_BYTES, LAST_TIME, LAST_TURNS};
use crate::replies::ReplyBatch;
use crate::shared::Shared;
use crate::socket::ServerSocket;

/// The token of the waker. A socket's token is its index.
const WAKER: Token = Token(usize::MAX);

/// One event loop and its sockets.
#[derive(Debug)]
pub struct EventLoop {
    /// The loop's number among all.
    number: usize,
    shared: Arc<Shared>,
    poll: Poll,
    events: Events,
    sockets: Vec<ServerSocket>,
    batch: Batch,
    /// When to print the totals; `None` if another loop does.
    stats: Option<Interval>,
}

impl EventLoop {
    /// The event loop with this `number`, for `sockets`.
    pub fn new(
        number: usize,
        shared: Arc<Shared>,
        mut sockets: Vec<ServerSocket>,
        stats: Option<Interval>,
    ) -> Result<Self, Failure> {
        let cannot_poll = |error| Failure::cannot_poll(&error);
        memory::check(Batch::SIZE)?;
        let poll = Poll::new().map_err(cannot_poll)?;
        for (token, socket) in sockets.iter_mut().enumerate() {
            poll.registry()
                .register(&mut socket.udp, Token(token), Interest::READABLE)
                .map_err(cannot_poll)?;
        }
        Ok(Self {
            number,
            shared,
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            sockets,
            batch: Batch::new(),
            stats,
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(|error| Failure::cannot_poll(&error))
    }

    /// The addresses that the sockets are bound to.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(ServerSocket::address)
    }

    /// The sockets, for [`KernelDrops`](crate::drops::KernelDrops).
    pub fn sockets(&self) -> impl Iterator<Item = Watched<'_>> {
        self.sockets
            .iter()
            .map(|socket| Watched { socket: socket.udp.as_fd(), is_old: socket.was_passed })
    }

    /// The options that the system refused for any of the sockets, and why.
    pub fn refused(&self) -> BTreeMap<&'static str, &str> {
        self.sockets.iter().flat_map(|socket| socket.refused.iter()).collect()
    }

    /// Serves until `shutdown` is requested.
    pub fn run(&mut self, shutdown: &Shutdown, transcript: &Transcript) -> Result<(), Failure> {
        let mut replies = ReplyBatch::default();
        let mut has_printed_waiting = false;
        let mut now = Instant::now();
        while !shutdown.is_requested() {
            // Printed only when the loop really goes back to waiting: not while
            // datagrams are left, and not again after a Ctrl-Z that woke it for nothing.
            if !self.is_ready() && !mem::replace(&mut has_printed_waiting, true) {
                events::waiting();
            }
            transcript.publish(now);
            self.wait_for_events(self.time_left(now))?;
            // By the end of this turn, whoever came before `previous` has been noticed.
            // Whoever came later may not have been.
            let previous = mem::replace(&mut now, Instant::now());
            has_printed_waiting &= self.turn(&mut replies, now)? == 0;
            if self.stats.as_mut().is_some_and(|stats| stats.take_due(now)) {
                events::stats(&self.shared.totals);
            }
            if self.shared.goal.note_noticed(self.number, previous) {
                self.look_for_waiting(now);
            }
            shutdown.request_when_over(&self.shared.goal);
        }
        self.answer_the_last(&mut replies)
    }

    /// Waits for events, for no longer than `timeout`, and notes which sockets are ready.
    fn wait_for_events(&mut self, timeout: Option<Duration>) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            // Ctrl-Z and fg. The sockets that are ready now are found in the next turn.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(Failure::cannot_go_on(&error)),
        }
        for event in &self.events {
            // The waker is no socket.
            if let Some(socket) = self.sockets.get_mut(event.token().0) {
                socket.is_ready = true;
            }
        }
        Ok(())
    }

    /// Whether any socket may hold datagrams.
    fn is_ready(&self) -> bool {
        self.sockets.iter().any(|socket| socket.is_ready)
    }

    /// How long the loop may sleep: not at all while a socket is ready, else until the
    /// earliest deadline.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        if self.is_ready() {
            return Some(Duration::ZERO);
        }
        let rests = self.sockets.iter().filter_map(|socket| socket.rest.until());
        let others = [self.stats.map(|stats| stats.next()), self.shared.goal.look_at(self.number)];
        let earliest = rests.chain(others.into_iter().flatten()).min();
        earliest.map(|earliest| earliest.saturating_duration_since(now))
    }

    /// Receives what came before the request to stop, and answers it unless `--count` is reached.
    /// A flood is left to itself after [`LAST_TURNS`], or [`LAST_TIME`] and [`LAST_BYTES`].
    fn answer_the_last(&mut self, replies: &mut ReplyBatch) -> Result<(), Failure> {
        for socket in &mut self.sockets {
            socket.is_ready = true;
            socket.rest.end_early();
        }
        let (mut now, mut bytes) = (Instant::now(), 0);
        let until = now + LAST_TIME;
        for _ in 0..LAST_TURNS {
            if !self.is_ready() || (bytes >= LAST_BYTES && now >= until) {
                break;
            }
            bytes += self.turn(replies, now)?;
            now = Instant::now();
        }
        if self.sockets.iter().any(ServerSocket::has_waiting) {
            self.shared.goal.note_left_waiting();
        }
        let refusal = self.sockets.iter().find_map(|socket| socket.refusals.under_way());
        refusal.map_or(Ok(()), |error| Err(Failure::cannot_go_on(&error)))
    }

    /// Before the run ends because nobody came: looks for datagrams that wait in a socket which
    /// rests. Who sent them has come, although nothing more is known of them. The end is put off
    /// once, for the socket may never be able to receive them.
    fn look_for_waiting(&mut self, now: Instant) {
        let mut found = false;
        for socket in &mut self.sockets {
            found |= socket.has_waiting() && !mem::replace(&mut socket.was_found_waiting, true);
        }
        if found {
            self.shared.goal.note_connection(now);
        }
    }
}
