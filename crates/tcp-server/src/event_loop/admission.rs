//! Accepts connections, and gives each a place or refuses it.

use std::time::Instant;

use common::exit::{Failure, reason};
use common::server::listen::BoundSocket;
use common::server::peer::Peer;
use mio::net::TcpStream;

use super::EventLoop;
use crate::connection::Connection;
use crate::events;
use crate::limits::{LAST_ACCEPTS, Limit, NEWCOMER_WAIT};
use crate::listener::{Accepted, Listener};
use crate::newcomers::Newcomer;
use crate::sources::Place;

impl EventLoop {
    /// Accepts up to `most` connections from the listener with `token`.
    pub(super) fn accept(
        &mut self,
        token: usize,
        most: usize,
        now: Instant,
    ) -> Result<(), Failure> {
        let mut has_evicted = false;
        let has_plenty = self.connections.has_memory(most);
        for tried in 0..most {
            // Mostly there is one connection, or there are many. An accept that finds nobody takes
            // the time of seven such questions, for the kernel makes the new socket first.
            if tried == 1 && self.listeners[token].has_no_queue() {
                return Ok(());
            }
            let has_memory = has_plenty || self.connections.has_memory(1);
            let Some(listener) = self.listeners.get_mut(token) else {
                return Ok(());
            };
            let error = match listener.accept(has_memory, now) {
                Accepted::Connection(stream, peer) => {
                    self.admit(stream, peer, now);
                    has_evicted = false;
                    continue;
                }
                Accepted::Gone(error) => {
                    events::gone_before_accept(&error);
                    continue;
                }
                Accepted::Nobody => return Ok(()),
                // Where the memory of one is not enough, that of more may not be either.
                Accepted::Full(_)
                    if (has_memory || !has_evicted) && self.evict_oldest_silent(now) =>
                {
                    has_evicted = true;
                    continue;
                }
                Accepted::Full(error) | Accepted::Short(error) => error,
                Accepted::Broken(error) => {
                    let address = self.listeners[token].address();
                    return Err(Failure::outcome(address, reason(&error)));
                }
            };
            if self.listeners[token].begin_rest(now) {
                events::cannot_accept(&error);
            }
            return Ok(());
        }
        // More may be queued.
        self.listeners[token].is_ready = true;
        Ok(())
    }

    /// Accepts the connections that are queued at a stop, up to [`LAST_ACCEPTS`] from
    /// each listener.
    pub(super) fn accept_the_last(&mut self, now: Instant) {
        for token in 0..self.listeners.len() {
            self.listeners[token].rest.end_early();
            let accepted = self.accept(token, LAST_ACCEPTS, now);
            let listener = &self.listeners[token];
            let refusal = listener.refusals.under_way();
            let refused = refusal.map(|error| Failure::outcome(listener.address(), reason(&error)));
            self.failure = self.failure.take().or(accepted.err()).or(refused);
            if self.listeners[token].rest.until().is_some() && self.listeners[token].has_queue() {
                self.shared.goal.note_left_waiting();
            }
        }
    }

    /// Before the run ends because nobody came: looks for somebody who waits for a listener that
    /// rests. Who waits has come, although nothing more is known of them. The end is put off
    /// once, for the listener may never be able to accept them.
    pub(super) fn look_for_waiting(&mut self, now: Instant) {
        if self.listeners.iter_mut().any(Listener::finds_waiting) {
            self.shared.goal.note_connection(now);
        }
    }

    /// Gives a connection a place. If there is none, the connection waits for a moment:
    /// perhaps another one has just ended, and its event is still to come.
    fn admit(&mut self, stream: TcpStream, peer: Peer, now: Instant) {
        self.shared.goal.note_connection(now);
        self.totals.connections.add(1);
        match self.find_place(&peer, now) {
            Ok(place) => self.add_connection(stream, peer, place, now),
            Err(limit) => {
                let newcomer = Newcomer { stream, peer, limit, until: now + NEWCOMER_WAIT };
                if let Some(refused) = self.newcomers.push(newcomer) {
                    self.refuse(&refused);
                }
            }
        }
    }

    /// Gives newcomers a place if there is one now, and refuses those that have waited
    /// for too long.
    pub(super) fn admit_newcomers(&mut self, now: Instant) {
        for newcomer in self.newcomers.take() {
            match self.find_place(&newcomer.peer, now) {
                Ok(place) => {
                    let Newcomer { stream, peer, .. } = newcomer;
                    self.add_connection(stream, peer, place, now);
                }
                Err(_) if newcomer.until <= now => self.refuse(&newcomer),
                // There is room: all newcomers were taken.
                Err(_) => drop(self.newcomers.push(newcomer)),
            }
        }
    }

    /// Finds a place for a connection from `peer`, if need be by evicting a silent
    /// connection; or returns the limit that is reached.
    fn find_place(&mut self, peer: &Peer, now: Instant) -> Result<Place, Limit> {
        let mut place = self.shared.sources.enter(peer);
        if place.is_none() && self.end_departures(now) {
            place = self.shared.sources.enter(peer);
        }
        let most = self.shared.sources.most();
        let place = place.ok_or(Limit::PerSource { most })?;
        while self.connections.len() >= self.room {
            if !self.evict_oldest_silent(now) {
                let most = self.shared.most_connections;
                return Err(Limit::Connections { most, share: self.room });
            }
        }
        Ok(place)
    }

    /// Adds a connection. This turn serves it after the others, and registers it if it then has
    /// to wait: its message may have come with it.
    fn add_connection(&mut self, stream: TcpStream, peer: Peer, place: Place, now: Instant) {
        events::accepted(&peer);
        if self.shared.terms.conversation {
            // Otherwise a short reply would wait until the peer has acknowledged the
            // reply before it (Nagle's algorithm). An error only makes it slower.
            let _ = stream.set_nodelay(true);
        }
        let connection = Connection::new(stream, &self.shared.terms, now);
        self.accepted.push(self.connections.insert(connection, peer, place));
    }

    fn refuse(&self, newcomer: &Newcomer<TcpStream>) {
        self.totals.refused.add(1);
        events::refused(&newcomer.peer, newcomer.limit);
    }

    /// Closes the connections whose peers have closed, but were not expected to yet. Returns
    /// whether there was one.
    fn end_departures(&mut self, now: Instant) -> bool {
        let held = self.connections.len();
        while let Some(key) = self.departures.take() {
            self.serve(key, now);
        }
        self.connections.len() < held
    }

    /// Closes the oldest silent connection to make room. Returns false if there is
    /// none. A connection whose message has come but was not read yet is served instead;
    /// it is no longer silent.
    fn evict_oldest_silent(&mut self, now: Instant) -> bool {
        if self.end_departures(now) {
            return true;
        }
        while let Some(key) = self.connections.oldest_silent() {
            self.serve_without_event(key, false, now);
            let Some(slot) = self.connections.get_mut(key) else {
                return true;
            };
            if slot.connection.is_silent() {
                self.totals.evicted.add(1);
                events::evicted(&slot.peer);
                self.close(key);
                return true;
            }
        }
        false
    }
}
