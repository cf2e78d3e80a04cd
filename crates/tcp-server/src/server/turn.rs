//! What a turn does: it accepts, serves, and ends connections.

use std::io;
use std::mem;
use std::time::Instant;

use common::exit::{Failure, reason};
use common::listen::Listening;
use common::peer::Peer;
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::Server;
use crate::connection::{Connection, End, Step};
use crate::events;
use crate::limits::{ACCEPTS_PER_TURN, LAST_ACCEPTS, STEPS_PER_TURN};
use crate::listener::Accepted;

impl Server {
    /// Gives everything on the list its turn.
    pub(super) fn turn(&mut self, now: Instant) -> Result<(), Failure> {
        for (token, listener) in self.listeners.iter().enumerate() {
            if listener.rest.until().is_some_and(|until| until <= now) {
                self.ready.insert(token);
            }
        }
        // Connections first, whose tokens are the higher ones: those who leave
        // make room for those who come.
        for token in mem::take(&mut self.ready).into_iter().rev() {
            match token.checked_sub(self.first_key) {
                Some(key) => self.serve(key, now),
                None => self.accept(token, ACCEPTS_PER_TURN, now)?,
            }
        }
        while let Some(key) = self.connections.expired(now) {
            self.expire(key);
        }
        Ok(())
    }

    /// Accepts up to `budget` connections from the listener with `token`.
    fn accept(&mut self, token: usize, budget: usize, now: Instant) -> Result<(), Failure> {
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
                Accepted::Short(error) => error,
                Accepted::Broken(error) => {
                    return Err(Failure::outcome(listener.address(), reason(&error)));
                }
            };
            self.listeners[token].rest_after(&short, now);
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

    /// Takes up a connection, or refuses it. One that cannot be registered is
    /// lost, for a shortage of this machine's.
    fn admit(&mut self, mut stream: TcpStream, peer: Peer, now: Instant) -> io::Result<()> {
        self.shared.goal.arrived(now);
        self.shared.totals.connections.add(1);
        let Some(place) = self.shared.sources.enter(peer.ip()) else {
            self.shared.totals.refused.add(1);
            events::refused_for_its_source(&peer, self.shared.sources.most());
            return Ok(());
        };
        if !self.make_room(now) {
            self.shared.totals.refused.add(1);
            events::refused_for_want_of_room(&peer, self.shared.connections_each);
            return Ok(());
        }
        events::accepted(&peer);
        let terms = self.shared.terms;
        if terms.conversation {
            // A short reply must not wait for the peer to acknowledge the last
            // one. Where that cannot be had, it is only slower.
            let _ = stream.set_nodelay(true);
        }
        let token = Token(self.first_key + self.connections.next_key());
        if let Err(error) = self.poll.registry().register(&mut stream, token, Interest::READABLE) {
            self.shared.totals.lost.add(1);
            return Err(error);
        }
        self.connections.insert(Connection::new(stream, terms, now), peer, place);
        Ok(())
    }

    /// Makes room for one more connection, where there is none: the oldest
    /// that has said nothing gives way. One whose message is here, although
    /// its turn is not, is served instead, and so is silent no more.
    fn make_room(&mut self, now: Instant) -> bool {
        while self.connections.len() >= self.shared.connections_each {
            let Some(key) = self.connections.oldest_silent() else {
                return false;
            };
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.ready(false);
            }
            self.serve(key, now);
            if let Some(slot) = self.connections.get_mut(key)
                && slot.connection.is_silent()
            {
                self.shared.totals.evicted.add(1);
                events::evicted(&slot.peer);
                self.remove(key);
            }
        }
        true
    }

    /// Lets the connection with `key` go on, up to its share of a turn.
    pub(super) fn serve(&mut self, key: usize, now: Instant) {
        for _ in 0..STEPS_PER_TURN {
            let has_enough = self.has_enough();
            let Some(slot) = self.connections.get_mut(key) else {
                return;
            };
            if has_enough && slot.connection.is_idle() {
                return;
            }
            match slot.connection.step(&mut self.buffer, now) {
                Step::Received(message) => {
                    self.shared.goal.arrived(now);
                    self.shared.totals.bytes_received.add(message.len() as u64);
                    events::received(&slot.peer, message);
                    let number = self.shared.replies.next();
                    slot.connection.answer(self.shared.reply.to(&slot.peer, number));
                    self.connections.reschedule(key);
                }
                Step::Answered(bytes) => {
                    self.shared.totals.exchanges.add(1);
                    self.shared.totals.bytes_sent.add(bytes as u64);
                    events::answered(&slot.peer);
                    self.connections.reschedule(key);
                }
                Step::Again => {}
                Step::WaitToReceive => return,
                Step::WaitToSend => return self.await_writing(key),
                Step::Ended(end) => return self.end(key, end),
            }
        }
        self.ready.insert(self.first_key + key);
    }

    /// Asks to be told when the connection with `key` can be written to.
    fn await_writing(&mut self, key: usize) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        if mem::replace(&mut slot.awaits_writing, true) {
            return;
        }
        let token = Token(self.first_key + key);
        let both = Interest::READABLE | Interest::WRITABLE;
        let stream = slot.connection.stream_mut();
        if let Err(error) = self.poll.registry().reregister(stream, token, both) {
            self.end(key, End::Lost(error));
        }
    }

    /// Ends the connection with `key`, whose time has run out.
    pub(super) fn expire(&mut self, key: usize) {
        if let Some(slot) = self.connections.get_mut(key) {
            let end = slot.connection.expire();
            self.end(key, end);
        }
    }

    /// Counts how the connection with `key` ended, tells of it, and closes it.
    fn end(&mut self, key: usize, end: End) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        match end {
            End::Done => {}
            End::Lost(error) => {
                self.shared.totals.lost.add(1);
                events::lost(&slot.peer, &error);
            }
            End::TimedOut => {
                self.shared.totals.timed_out.add(1);
                events::timed_out(&slot.peer, self.shared.terms.read_timeout);
            }
        }
        self.remove(key);
    }

    /// At a stop: closes the connection with `key` if it has said nothing.
    pub(super) fn leave(&mut self, key: usize) {
        if let Some(slot) = self.connections.get_mut(key)
            && slot.connection.is_silent()
        {
            self.shared.totals.silent.add(1);
            self.remove(key);
        }
    }

    /// Closes the connection with `key`. A listener that lacked its
    /// descriptor gets a chance.
    fn remove(&mut self, key: usize) {
        self.connections.remove(key);
        for (token, listener) in self.listeners.iter_mut().enumerate() {
            if listener.rest.until().is_some() {
                listener.rest.end_early();
                self.ready.insert(token);
            }
        }
    }
}
