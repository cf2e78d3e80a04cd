//! What a turn does: it receives batches of datagrams, and answers them.

use std::mem;
use std::sync::PoisonError;
use std::time::Instant;

use common::exit::Failure;
use common::server::peer::Peer;
use log::Level;

use super::{Server, Shared};
use crate::batch::{Datagram, Run};
use crate::events;
use crate::guard::Cause;
use crate::limits::BATCHES_PER_TURN;
use crate::listener::{Listener, Meaning};

impl Server {
    /// Serves every socket on the list; says how many datagrams that were.
    pub(super) fn turn(&mut self, now: Instant) -> Result<u64, Failure> {
        for (token, listener) in self.listeners.iter().enumerate() {
            if listener.rest.until().is_some_and(|until| until <= now) {
                self.ready.insert(token);
            }
        }
        let mut datagrams = 0;
        for token in mem::take(&mut self.ready) {
            datagrams += self.serve(token, now)?;
        }
        Ok(datagrams)
    }

    /// Answers what one socket holds, up to its share of a turn; says how many
    /// datagrams that were.
    fn serve(&mut self, token: usize, now: Instant) -> Result<u64, Failure> {
        let mut datagrams = 0;
        let mut has_received = false;
        let mut trouble = None;
        for _ in 0..BATCHES_PER_TURN {
            let Some(listener) = self.listeners.get_mut(token) else {
                return Ok(datagrams);
            };
            if !listener.rest.may_try(now) {
                return Ok(datagrams);
            }
            match self.batch.receive(&listener.socket, &listener.state) {
                Ok(()) => {
                    has_received = true;
                    listener.rest.succeeded();
                    self.shared.goal.note_arrival(now);
                    datagrams += self.answer_batch(token, now);
                }
                Err(error) => match Meaning::of(&error) {
                    Meaning::Nothing => return Ok(datagrams),
                    Meaning::Passing => trouble = Some(error),
                    Meaning::Broken => return Err(Failure::cannot_go_on(&error)),
                },
            }
        }
        match trouble {
            // Nothing but errors for a whole turn will not be better at once.
            Some(error) if !has_received => {
                if self.listeners[token].rest.begin(now) {
                    events::cannot_receive(&error);
                }
            }
            _ => {
                self.ready.insert(token);
            }
        }
        Ok(datagrams)
    }

    /// Answers the datagrams of a batch from the socket with `token`, as far
    /// as the guard and `--count` let it; says how many there were.
    fn answer_batch(&mut self, token: usize, now: Instant) -> u64 {
        let Self { shared, batch, run, listeners, .. } = self;
        let Some(listener) = listeners.get(token) else {
            return 0;
        };
        let most = listener.state.max_gso_segments();
        let mut datagrams = 0;
        for Datagram { way, to_group, message } in batch.datagrams() {
            if to_group && !listener.answers_groups {
                continue;
            }
            if shared.has_enough(run) {
                // What is under way may fail, and then this one is answered.
                send(run, listener, shared);
                if shared.has_enough(run) {
                    break;
                }
            }
            let peer = &Peer::new(way.peer);
            datagrams += 1;
            shared.totals.datagrams.add(1);
            shared.totals.bytes_received.add(message.len() as u64);
            events::received(peer, message);
            if let Some(cause) = shared.guard.objection(peer, message, now) {
                shared.totals.dropped(cause).add(1);
                let level = if shared.is_news(cause, now) { Level::Warn } else { Level::Debug };
                events::dropped(level, peer, cause);
                continue;
            }
            let reply = shared.reply.to(peer, shared.replies.next());
            if !run.add(way, &reply, most) {
                send(run, listener, shared);
                run.add(way, &reply, most);
            }
        }
        send(run, listener, shared);
        datagrams
    }
}

impl Shared {
    /// Whether `--count` is reached, or will be by the replies in `run`.
    fn has_enough(&self, run: &Run) -> bool {
        self.goal.is_reached(self.totals.exchanges.get() + run.count() as u64)
    }

    /// Whether that is worth a warning: it was not told of for a while.
    fn is_news(&self, cause: Cause, now: Instant) -> bool {
        // Nothing panics with the lock held, so a poisoned one is sound.
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings[cause as usize].may_pass(now)
    }
}

/// Sends a run of replies. One that cannot be sent is a datagram lost, as on
/// any network: it is told of, and ends nothing.
fn send(run: &mut Run, listener: &Listener, shared: &Shared) {
    let Some(peer) = run.peer().map(Peer::new) else {
        return;
    };
    let sent = run.send(&listener.socket, &listener.state);
    shared.totals.exchanges.add(sent.count);
    shared.totals.bytes_sent.add(sent.bytes);
    (0..sent.count).for_each(|_| events::answered(&peer));
    for error in sent.failed {
        shared.totals.unanswered.add(1);
        events::unanswered(&peer, &error);
    }
}
