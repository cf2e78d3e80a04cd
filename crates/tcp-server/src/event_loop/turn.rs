//! One turn of the event loop: serves the connections that are ready, accepts new
//! ones, and ends those that have run out of time.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use common::exit::{Failure, reason};
use mio::{Interest, Token};

use super::{EventLoop, INBOUND, Phase};
use crate::connection::{End, Step};
use crate::events;
use crate::limits::{ACCEPTS_PER_TURN, STEPS_PER_TURN};

impl EventLoop {
    /// Serves every socket on the list. Connections come before listeners, for
    /// those that end make room for new ones.
    pub(super) fn turn(&mut self, now: Instant) -> Result<(), Failure> {
        while let Some(key) = self.departures.take_due(now) {
            self.serve(key, now);
        }
        let on_list = self.ready.len();
        // Those that are put on the list meanwhile are for the next turn.
        for at in 0..on_list {
            self.serve(self.ready[at], now);
        }
        self.ready.drain(..on_list);
        self.admit_newcomers(now);
        for token in 0..self.listeners.len() {
            if self.listeners[token].take_ready(now) {
                self.accept(token, ACCEPTS_PER_TURN, now)?;
            }
        }
        // Most messages have come by now.
        for at in 0..self.accepted.len() {
            self.serve(self.accepted[at], now);
        }
        self.accepted.clear();
        while let Some(key) = self.connections.expired(now) {
            // Perhaps only this turn is late, and the message came in time.
            self.serve_without_event(key, true, now);
            if self.connections.expired(now) == Some(key) {
                self.expire(key);
            }
        }
        match self.phase {
            Phase::Serving => self.failure.take().map_or(Ok(()), Err),
            // First the others finish.
            Phase::Draining(_) => Ok(()),
        }
    }

    /// Takes the next steps of the connection with `key`, up to its share of a turn. While the
    /// replies under way may be the last of `--count`, its message stays unread: one of them may
    /// fail, and then this one is answered instead.
    pub(super) fn serve(&mut self, key: usize, now: Instant) {
        if let Some(slot) = self.connections.get_mut(key) {
            slot.is_on_list = false;
            if !slot.connection.is_registered() {
                slot.connection.on_ready(true);
            }
        }
        self.take_steps(key, true, now);
    }

    fn take_steps(&mut self, key: usize, may_wait: bool, now: Instant) {
        for _ in 0..STEPS_PER_TURN {
            let has_enough = self.has_enough();
            let Some(slot) = self.connections.get_mut(key) else {
                return;
            };
            if may_wait && has_enough && slot.connection.is_idle() {
                return;
            }
            match slot.connection.step(&mut self.buffer, &self.shared.terms, now) {
                Step::Received(message) => {
                    // The peer's end alone is no message, although it is answered like one.
                    let sent = (!message.is_empty()).then_some(message);
                    let counts = self.shared.goal.note_message(sent, now);
                    self.totals.bytes_received.add(message.len() as u64);
                    events::received(&slot.peer, message);
                    if has_enough {
                        slot.connection.leave_unanswered();
                        self.totals.unanswered.add(1);
                        events::unanswered(&slot.peer);
                    } else {
                        let number = || self.shared.replies.next();
                        slot.connection.answer(self.shared.reply.kept(&slot.peer, number));
                        slot.counts = counts;
                        self.replying += u64::from(counts);
                    }
                    self.connections.reschedule(key);
                }
                Step::Answered(bytes) => {
                    if slot.counts {
                        self.replying -= 1;
                        self.shared.goal.note_exchanges(1);
                    }
                    self.refusals.end();
                    self.totals.exchanges.add(1);
                    self.totals.bytes_sent.add(bytes as u64);
                    events::answered(&slot.peer);
                    if slot.connection.is_idle() {
                        // A conversation: the peer has time for another message.
                        self.connections.reschedule(key);
                    }
                }
                Step::Again => {}
                Step::WaitToReceive => return self.wait(key, false, now),
                Step::WaitToSend => return self.wait(key, true, now),
                Step::Ended(end) => {
                    if let Some(after) = slot.connection.lingers_for(&self.shared.terms, now) {
                        let is_tried = !slot.connection.is_registered();
                        self.departures.note(Some(if is_tried { Duration::ZERO } else { after }));
                    }
                    return self.end(key, end);
                }
            }
        }
        self.put_on_list(key);
    }

    fn put_on_list(&mut self, key: usize) {
        if let Some(slot) = self.connections.get_mut(key) {
            slot.put_on_list(key, &mut self.ready);
        }
    }

    /// Serves the connection with `key` although there was no event: its message, or
    /// with `with_mark` also its end, may have come since the last events were taken. If so, it
    /// is read, for otherwise the connection would be closed as one that has said nothing.
    pub(super) fn serve_without_event(&mut self, key: usize, with_mark: bool, now: Instant) {
        if let Some(slot) = self.connections.get_mut(key) {
            slot.connection.on_ready(with_mark);
        }
        self.take_steps(key, false, now);
    }

    /// Lets the connection with `key` wait for an event or, if its peer is expected to close soon,
    /// for the time when it should have.
    fn wait(&mut self, key: usize, to_send: bool, now: Instant) {
        let may_depart = self.may_depart();
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        let is_registered = slot.connection.is_registered();
        if is_registered && (!to_send || slot.is_registered_for_writing) {
            return;
        }
        if !is_registered && slot.connection.only_has_to_close() {
            if mem::replace(&mut slot.has_waited, true) {
                self.departures.note(None);
            } else if may_depart {
                return self.departures.push(key, now);
            }
        }
        let (token, registry) = (Token(self.first_token + key), self.poll.registry());
        let interest = if to_send { INBOUND | Interest::WRITABLE } else { INBOUND };
        let stream = slot.connection.stream_mut();
        let registered = if is_registered {
            registry.reregister(stream, token, interest)
        } else {
            registry.register(stream, token, interest)
        };
        match registered {
            Ok(()) => {
                slot.is_registered_for_writing = to_send;
                if !is_registered {
                    slot.connection.on_registered();
                }
            }
            // It has its reply. What else it sends is read when its time is over.
            Err(_) if slot.connection.owes_nothing() => {}
            Err(error) => self.end_unregistered(key, &error, now),
        }
    }

    /// Whether a connection that only has to close may do so unseen: a newcomer, or another event
    /// loop, may wait for its place.
    fn may_depart(&self) -> bool {
        let is_missed = !self.newcomers.is_empty() || self.shared.places_are_shared();
        matches!(self.phase, Phase::Serving) && self.departures.are_quick() && !is_missed
    }

    /// Ends the connection with `key`, which cannot be registered, because this machine lacks
    /// something. Others would need the same, so the listeners rest.
    fn end_unregistered(&mut self, key: usize, error: &io::Error, now: Instant) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        self.totals.lost.add(1);
        events::lost(&slot.peer, error);
        self.close(key);
        for listener in &mut self.listeners {
            if listener.begin_rest(now) {
                events::cannot_accept(error);
            }
        }
    }

    /// Ends the connection with `key`, whose deadline has passed.
    pub(super) fn expire(&mut self, key: usize) {
        if let Some(slot) = self.connections.get_mut(key) {
            let end = slot.connection.expire();
            self.end(key, end);
        }
    }

    /// Counts and prints how the connection with `key` ended, and closes it.
    fn end(&mut self, key: usize, end: End) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        match end {
            End::Done => {}
            End::Silent => self.totals.silent.add(1),
            End::Lost(error) => {
                self.totals.lost.add(1);
                events::lost(&slot.peer, &error);
                if self.refusals.are_for_good(&error) {
                    self.failure = Some(Failure::outcome("connections", reason(&error)));
                }
            }
            End::TimedOut => {
                self.totals.timed_out.add(1);
                events::timed_out(&slot.peer, self.shared.terms.read_timeout);
            }
        }
        self.close(key);
    }

    /// Closes the connection with `key` if no message has come from it.
    pub(super) fn close_if_silent(&mut self, key: usize) {
        if self.connections.get_mut(key).is_some_and(|slot| slot.connection.is_silent()) {
            self.totals.silent.add(1);
            self.close(key);
        }
    }

    /// Closes the connection with `key`. Puts the sockets on the list that it may have
    /// kept waiting.
    pub(super) fn close(&mut self, key: usize) {
        let Some(slot) = self.connections.remove(key) else {
            return;
        };
        if slot.connection.is_replying() && slot.counts {
            let had_enough = self.has_enough();
            self.replying -= 1;
            if had_enough {
                // This reply would have been the last of `--count`. Now another message can
                // be answered instead.
                for key in self.connections.keys() {
                    self.put_on_list(key);
                }
            }
        }
        for listener in &mut self.listeners {
            if listener.rest.until().is_some() {
                // Perhaps the listener lacked a descriptor, and this connection had it.
                listener.rest.end_early();
                listener.is_ready = true;
            }
        }
    }
}
