//! One turn of the event loop: receives batches of datagrams, and answers them.

use std::mem;
use std::time::Instant;

use common::exit::Failure;
use common::server::peer::Peer;
use log::{Level, log_enabled};
use nix::Error as Errno;

use super::EventLoop;
use crate::batch::Datagram;
use crate::events;
use crate::limits::{BATCHES_PER_TURN, BYTES_PER_TURN, UDP_HEADER};
use crate::replies::ReplyBatch;
use crate::shared::Shared;
use crate::socket::{Meaning, ServerSocket};

impl EventLoop {
    /// Receives from every socket that is ready, and from those whose rest is over.
    /// Returns how many bytes there were, those of UDP headers included: 0 if nothing came.
    pub(super) fn turn(&mut self, replies: &mut ReplyBatch, now: Instant) -> Result<u64, Failure> {
        let mut bytes = 0;
        for token in 0..self.sockets.len() {
            let socket = &mut self.sockets[token];
            let is_rested = socket.rest.until().is_some_and(|until| until <= now);
            if mem::take(&mut socket.is_ready) || is_rested {
                bytes += self.receive(token, replies, now)?;
            }
        }
        Ok(bytes)
    }

    /// Receives and answers what the socket with `token` holds, up to its share of a
    /// turn. Returns how many bytes there were.
    fn receive(
        &mut self,
        token: usize,
        replies: &mut ReplyBatch,
        now: Instant,
    ) -> Result<u64, Failure> {
        let mut bytes = 0;
        let mut has_received = false;
        let mut trouble = None;
        for _ in 0..BATCHES_PER_TURN {
            let Some(socket) = self.sockets.get_mut(token) else {
                return Ok(bytes);
            };
            if !socket.rest.may_try(now) {
                return Ok(bytes);
            }
            match self.batch.receive(socket) {
                Ok(is_full) => {
                    has_received = true;
                    socket.rest.succeeded();
                    socket.refusals.end();
                    socket.was_found_waiting = false;
                    bytes += self.answer(token, replies, now)?;
                    if !is_full {
                        return Ok(bytes);
                    }
                    if bytes >= BYTES_PER_TURN {
                        break;
                    }
                }
                Err(error) => match Meaning::of(&error) {
                    Meaning::Nothing => {
                        socket.refusals.end();
                        socket.was_found_waiting = false;
                        return Ok(bytes);
                    }
                    Meaning::Passing => trouble = Some(error),
                    Meaning::Broken => return Err(Failure::cannot_go_on(&error)),
                },
            }
        }
        match trouble {
            // After nothing but errors, the next try would hardly do better.
            Some(error) if !has_received => {
                let socket = &mut self.sockets[token];
                if socket.refusals.are_for_good(&error) {
                    return Err(Failure::cannot_go_on(&error));
                }
                if socket.rest.begin(now) {
                    events::cannot_receive(&error);
                }
            }
            // The socket may hold more.
            _ => self.sockets[token].is_ready = true,
        }
        Ok(bytes)
    }

    /// Prints the datagrams of the batch and answers them from the socket with
    /// `token`, unless the guard objects or `--count` is reached. Returns how many
    /// bytes there were.
    fn answer(
        &mut self,
        token: usize,
        replies: &mut ReplyBatch,
        now: Instant,
    ) -> Result<u64, Failure> {
        let Self { shared, batch, sockets, .. } = self;
        let Some(socket) = sockets.get(token) else {
            return Ok(0);
        };
        let most = socket.most_segments;
        // All event loops count together: the less often, the less they wait for each other.
        let (datagrams, bytes) = (batch.count(), batch.bytes());
        shared.totals.datagrams.add(datagrams);
        shared.totals.bytes_received.add(bytes);
        // Whether the replies in the batch count for `--count`: all of them, or none.
        let mut count = true;
        for Datagram { envelope, message } in batch.datagrams() {
            let counts = shared.goal.note_message(Some(message), now);
            let unsent = if count { replies.count() as u64 } else { 0 };
            if counts != count || shared.goal.is_reached(unsent) {
                // Some of the replies may fail; then this datagram is answered too.
                send(replies, socket, shared, count)?;
                count = counts;
            }
            let peer = &Peer::new(envelope.peer);
            events::received(peer, message);
            let dscp = envelope.asked.dscp;
            let Some(reply) = shared.reply_to(peer, message, dscp, now) else {
                continue;
            };
            if !replies.add(envelope, &reply, most) {
                send(replies, socket, shared, count)?;
                replies.add(envelope, &reply, most);
            }
        }
        send(replies, socket, shared, count)?;
        Ok(bytes + datagrams * UDP_HEADER)
    }
}

/// Sends `replies`, if there are any, which `count` for `--count` or do not. A reply that cannot
/// be sent is counted and printed; like a datagram lost on the way, it is no reason to stop. It
/// is one if this machine cannot send at all.
fn send(
    replies: &mut ReplyBatch,
    socket: &ServerSocket,
    shared: &Shared,
    count: bool,
) -> Result<(), Failure> {
    let (mut exchanges, mut result) = (0, Ok(()));
    let length = replies.length() as u64;
    replies.send(socket, |peer, sent| {
        let peer = || Peer::new(peer);
        match sent {
            Ok(replies) => {
                exchanges += replies as u64;
                // Nobody is named for nothing.
                if log_enabled!(Level::Debug) {
                    (0..replies).for_each(|_| events::answered(&peer()));
                }
            }
            Err(errno) => {
                let error = errno.into();
                shared.totals.unanswered.add(1);
                events::unanswered(&peer(), &error);
                if errno == Errno::ENOSYS {
                    result = Err(Failure::cannot_go_on(&error));
                }
            }
        }
    });
    shared.totals.exchanges.add(exchanges);
    if count {
        shared.goal.note_exchanges(exchanges);
    }
    shared.totals.bytes_sent.add(exchanges * length);
    result
}
