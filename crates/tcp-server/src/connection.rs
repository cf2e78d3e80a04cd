//! One connection: a state machine that receives a message, sends the reply,
//! and waits for the peer to close.
//!
//! ```text
//! Receiving ──message, or the peer's end──▶ Replying ──reply and FIN──▶ Lingering ──▶ ended
//! ```
//!
//! It reads no clock, prints nothing and makes no loop: [`Connection::step`]
//! does one thing and says what came of it, and the server decides whether to
//! go on. To be called too often does no harm.

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Instant;

use common::protocol::BUFFER_SIZE;

use crate::limits::{LINGER, READ_TIMEOUT};
use crate::stream::Stream;

/// One connection, from its accept to its end.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    reply: Rc<[u8]>,
    state: State,
    deadline: Instant,
    /// What the kernel holds for us to receive, as far as is known.
    inbound: Inbound,
}

#[derive(Debug)]
enum State {
    /// No message yet.
    Receiving,
    /// So many bytes of the reply are sent.
    Replying { sent: usize },
    /// Reply and FIN are sent. What still comes is discarded: closing with
    /// unread data would reset the connection, and the reply with it.
    Lingering,
}

/// Readiness is edge-triggered: after a short read there is nothing to receive
/// until the next event, unless the last one said that the peer's end had come,
/// for that will not be said twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inbound {
    Empty,
    Some,
    WithEnd,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step<'b> {
    /// The message is here (empty where the peer only ended its side).
    Received(&'b [u8]),
    /// The reply is with the kernel, whole.
    Answered,
    /// Something was done, and there may be more to do.
    Again,
    /// Nothing to do until the socket can be read from.
    WaitToReceive,
    /// Nothing to do until the socket can be written to.
    WaitToSend,
    /// It is over; drop the connection.
    Ended(End),
}

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// It was answered.
    Answered,
    /// It failed before the reply was sent.
    Lost(io::Error),
    /// It never sent a message.
    Silent,
}

impl<S: Stream> Connection<S> {
    /// A connection just accepted. Nothing is received before an event says
    /// that there is something.
    pub fn new(stream: S, reply: Rc<[u8]>, now: Instant) -> Self {
        Self {
            stream,
            reply,
            state: State::Receiving,
            deadline: now + READ_TIMEOUT,
            inbound: Inbound::Empty,
        }
    }

    /// The instant at which it is to be ended by [`Connection::expire`].
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The underlying socket, to register it.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// An event: the socket is ready, perhaps with the peer's end.
    pub fn ready(&mut self, peer_ended: bool) {
        if peer_ended {
            self.inbound = Inbound::WithEnd;
        } else if self.inbound == Inbound::Empty {
            self.inbound = Inbound::Some;
        }
    }

    /// Does the next thing there is to do. The first [`BUFFER_SIZE`] bytes of
    /// `buffer` take the message, all of it takes what is discarded.
    pub fn step<'b>(&mut self, buffer: &'b mut [u8], now: Instant) -> Step<'b> {
        match self.state {
            State::Receiving => {
                let limit = buffer.len().min(BUFFER_SIZE);
                match self.receive(&mut buffer[..limit]) {
                    Ok(len) => {
                        self.state = State::Replying { sent: 0 };
                        self.deadline = now + LINGER;
                        Step::Received(&buffer[..len])
                    }
                    Err(error) => or_wait(error, Step::WaitToReceive, End::Lost),
                }
            }
            State::Replying { sent } if sent < self.reply.len() => {
                match self.stream.send_last(&self.reply[sent..]) {
                    Ok(more) => {
                        self.state = State::Replying { sent: sent + more };
                        Step::Again
                    }
                    Err(error) => or_wait(error, Step::WaitToSend, End::Lost),
                }
            }
            State::Replying { .. } => match self.stream.end() {
                Ok(()) => {
                    self.state = State::Lingering;
                    Step::Answered
                }
                Err(error) => or_wait(error, Step::Again, End::Lost),
            },
            State::Lingering => match self.receive(buffer) {
                Ok(0) => Step::Ended(End::Answered),
                Ok(_) => Step::Again,
                // A peer that resets now has the reply, or did not want it.
                Err(error) => or_wait(error, Step::WaitToReceive, |_| End::Answered),
            },
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.inbound == Inbound::Empty {
            return Err(ErrorKind::WouldBlock.into());
        }
        let received = self.stream.receive(buffer);
        let drained = match &received {
            Ok(len) => *len < buffer.len() && self.inbound == Inbound::Some,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        if drained {
            self.inbound = Inbound::Empty;
        }
        received
    }

    /// How it ends, when its deadline has passed or the server stops.
    pub fn expire(&self) -> End {
        match self.state {
            State::Receiving => End::Silent,
            State::Replying { .. } => End::Lost(ErrorKind::TimedOut.into()),
            State::Lingering => End::Answered,
        }
    }

    /// Whether no message has come yet.
    pub fn is_silent(&self) -> bool {
        matches!(self.state, State::Receiving)
    }
}

fn or_wait<'b>(error: io::Error, wait: Step<'b>, end: impl FnOnce(io::Error) -> End) -> Step<'b> {
    match error.kind() {
        ErrorKind::WouldBlock => wait,
        ErrorKind::Interrupted => Step::Again,
        _ => Step::Ended(end(error)),
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
