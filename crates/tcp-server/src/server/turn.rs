//! What a turn does: it serves connections, has newcomers admitted, and ends
//! what is over.

use std::mem;
use std::time::Instant;

use common::exit::Failure;
use mio::{Interest, Token};

use super::{INBOUND, Server};
use crate::connection::{End, Step};
use crate::events;
use crate::limits::{ACCEPTS_PER_TURN, STEPS_PER_TURN};

impl Server {
    /// Gives everything on the list its turn: connections first, for those who
    /// leave make room for those who come.
    pub(super) fn turn(&mut self, now: Instant) -> Result<(), Failure> {
        for (token, listener) in self.listeners.iter().enumerate() {
            if listener.rest.until().is_some_and(|until| until <= now) {
                self.ready.insert(token);
            }
        }
        let ready = mem::take(&mut self.ready);
        for token in ready.range(self.first_key..) {
            self.serve(token - self.first_key, now);
        }
        self.decide(now);
        for &token in ready.range(..self.first_key) {
            self.accept(token, ACCEPTS_PER_TURN, now)?;
        }
        while let Some(key) = self.connections.expired(now) {
            // It may have been too late a turn, and not too late a message.
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.ready(true);
            }
            self.serve(key, now);
            if self.connections.expired(now) == Some(key) {
                self.expire(key);
            }
        }
        Ok(())
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
                    self.shared.goal.note_arrival(now);
                    self.shared.totals.bytes_received.add(message.len() as u64);
                    events::received(&slot.peer, message);
                    let number = self.shared.replies.next();
                    slot.connection.answer(self.shared.reply.to(&slot.peer, number));
                    self.replying += 1;
                    self.connections.reschedule(key);
                }
                Step::Answered(bytes) => {
                    self.replying -= 1;
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
        let stream = slot.connection.stream_mut();
        let both = INBOUND | Interest::WRITABLE;
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
            End::Silent => self.shared.totals.silent.add(1),
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
    /// descriptor gets a chance, and so does, where its reply was to be the
    /// last of `--count`, everybody else.
    pub(super) fn remove(&mut self, key: usize) {
        let Some(slot) = self.connections.remove(key) else {
            return;
        };
        if slot.connection.is_replying() {
            let had_enough = self.has_enough();
            self.replying -= 1;
            if had_enough {
                let keys = self.connections.keys();
                self.ready.extend(keys.iter().map(|key| self.first_key + key));
            }
        }
        for (token, listener) in self.listeners.iter_mut().enumerate() {
            if listener.rest.until().is_some() {
                listener.rest.end_early();
                self.ready.insert(token);
            }
        }
    }
}
