//! Who comes: accepted, and taken up or refused.

use std::io;
use std::mem;
use std::time::Instant;

use common::exit::{Failure, reason};
use common::server::listen::BoundSocket;
use common::server::peer::Peer;
use mio::Token;
use mio::net::TcpStream;

use super::{INBOUND, Newcomer, Server};
use crate::connection::Connection;
use crate::events;
use crate::limits::{LAST_ACCEPTS, Limit, MOST_UNDECIDED, UNDECIDED};
use crate::listener::Accepted;
use crate::sources::Place;

impl Server {
    /// Accepts up to `budget` connections from the listener with `token`.
    pub(super) fn accept(
        &mut self,
        token: usize,
        budget: usize,
        now: Instant,
    ) -> Result<(), Failure> {
        for _ in 0..budget {
            let Some(listener) = self.listeners.get_mut(token) else {
                return Ok(());
            };
            let short = match listener.accept(now) {
                Accepted::Connection(stream, peer) => match self.admit(stream, peer, now) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Accepted::Gone(error) => {
                    events::gone_before_accept(&error);
                    continue;
                }
                Accepted::Nobody => return Ok(()),
                Accepted::Full(_) if self.evict(now) => continue,
                Accepted::Full(error) | Accepted::Short(error) => error,
                Accepted::Broken(error) => {
                    let address = self.listeners[token].address();
                    return Err(Failure::outcome(address, reason(&error)));
                }
            };
            if self.listeners[token].begin_rest(now) {
                events::cannot_accept(&short);
            }
            return Ok(());
        }
        self.ready.insert(token);
        Ok(())
    }

    /// Accepts those who are queued at a stop, within bounds.
    pub(super) fn accept_the_last(&mut self, now: Instant) {
        for token in 0..self.listeners.len() {
            self.listeners[token].rest.end_early();
            // A listener that breaks now was to be closed anyway.
            let _ = self.accept(token, LAST_ACCEPTS, now);
        }
    }

    /// Takes up a connection. One for which there is no place is undecided for a
    /// moment: who has just left may not have been heard of yet.
    fn admit(&mut self, stream: TcpStream, peer: Peer, now: Instant) -> io::Result<()> {
        self.shared.goal.note_arrival(now);
        self.shared.totals.connections.add(1);
        match self.place(&peer, now) {
            Ok(place) => self.take_up(stream, peer, place, now),
            Err(limit) => {
                self.keep_undecided(Newcomer { stream, peer, limit, until: now + UNDECIDED });
                Ok(())
            }
        }
    }

    /// Where too many are undecided, the oldest of the source of `newcomer` is
    /// refused, or of all: a source that comes too often is in nobody's way but
    /// its own.
    fn keep_undecided(&mut self, newcomer: Newcomer) {
        if self.undecided.len() >= MOST_UNDECIDED {
            let source = newcomer.peer.source();
            let own = self.undecided.iter().position(|other| other.peer.source() == source);
            let oldest = self.undecided.remove(own.unwrap_or(0));
            self.refuse(&oldest);
        }
        self.undecided.push(newcomer);
    }

    /// Takes up those undecided for whom there is a place now, and refuses
    /// those who have waited for one long enough.
    pub(super) fn decide(&mut self, now: Instant) {
        for newcomer in mem::take(&mut self.undecided) {
            match self.place(&newcomer.peer, now) {
                Ok(place) => {
                    let Newcomer { stream, peer, .. } = newcomer;
                    // One that cannot be taken up is counted and told of there.
                    let _ = self.take_up(stream, peer, place, now);
                }
                Err(_) if newcomer.until <= now => self.refuse(&newcomer),
                Err(_) => self.undecided.push(newcomer),
            }
        }
    }

    /// A place for a connection from `peer`, or the limit that is reached.
    fn place(&mut self, peer: &Peer, now: Instant) -> Result<Place, Limit> {
        let shared = &self.shared;
        let most = shared.sources.most();
        let place = shared.sources.enter(peer.source()).ok_or(Limit::PerSource { most })?;
        while self.connections.len() >= self.room {
            if !self.evict(now) {
                let most = self.shared.most_connections;
                return Err(Limit::Connections { most, share: self.room });
            }
        }
        Ok(place)
    }

    /// Takes up a connection. One that cannot be registered is lost, for a
    /// shortage of this machine's.
    fn take_up(
        &mut self,
        mut stream: TcpStream,
        peer: Peer,
        place: Place,
        now: Instant,
    ) -> io::Result<()> {
        events::accepted(&peer);
        let terms = self.shared.terms;
        if terms.conversation {
            // A short reply must not wait for the peer to acknowledge the last
            // one. Where that cannot be had, it is only slower.
            let _ = stream.set_nodelay(true);
        }
        let token = Token(self.first_key + self.connections.next_key());
        if let Err(error) = self.poll.registry().register(&mut stream, token, INBOUND) {
            self.shared.totals.lost.add(1);
            events::lost(&peer, &error);
            return Err(error);
        }
        self.connections.insert(Connection::new(stream, terms, now), peer, place);
        Ok(())
    }

    fn refuse(&self, newcomer: &Newcomer) {
        self.shared.totals.refused.add(1);
        events::refused(&newcomer.peer, newcomer.limit);
    }

    /// Has the oldest connection that has said nothing give way; false where
    /// there is none. One whose message is here, although its turn is not, is
    /// served instead, and so is silent no more.
    fn evict(&mut self, now: Instant) -> bool {
        while let Some(key) = self.connections.oldest_silent() {
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.ready(false);
            }
            self.serve(key, now);
            let Some(slot) = self.connections.get_mut(key) else {
                return true;
            };
            if slot.connection.is_silent() {
                self.shared.totals.evicted.add(1);
                events::evicted(&slot.peer);
                self.remove(key);
                return true;
            }
        }
        false
    }
}
