//! One connection: a state machine that receives a message, sends the reply,
//! and waits for the peer to close.
//!
//! ```text
//! Receiving ──message, or the peer's end──▶ Replying ──reply and FIN──▶ Lingering ──▶ ended
//!     ▲                                        │
//!     └──────── reply, in a conversation ──────┘
//! ```
//!
//! A conversation is the tutorial's inner loop: every message is answered, and
//! the peer's end is the end.
//!
//! It reads no clock, prints nothing and makes no loop: [`Connection::step`]
//! does one thing and says what came of it, and the server decides whether to
//! go on. To be called too often does no harm.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::protocol::BUFFER_SIZE;
use common::stream::Stream;

/// What the server allows a connection.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long the peer may send nothing.
    pub read_timeout: Duration,
    /// How long the peer may take to accept the reply and to close.
    pub linger: Duration,
    /// Whether every message is answered until the peer closes, or only the first.
    pub conversation: bool,
}

/// One connection, from its accept to its end.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    terms: Terms,
    state: State,
    has_spoken: bool,
    deadline: Instant,
    /// What the kernel holds for us to receive, as far as is known.
    inbound: Inbound,
}

#[derive(Debug)]
enum State {
    /// No message yet, or not the next one.
    Receiving,
    /// So many bytes of the reply are sent.
    Replying { reply: Arc<[u8]>, sent: usize },
    /// A conversation that is to end, with nothing left to answer.
    Ending,
    /// Reply and FIN are sent. What still comes is discarded: closing with
    /// unread data would reset the connection, and the reply with it.
    Lingering,
}

/// Readiness is edge-triggered: after a short read there is nothing to receive
/// until the next event, unless the last one spoke of a mark that stops a
/// receive short, for it will not be said twice what lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inbound {
    Empty,
    Some,
    WithMark,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step<'b> {
    /// The message is here (empty where the peer only ended its side), and
    /// wants an answer: [`Connection::answer`].
    Received(&'b [u8]),
    /// The reply, of so many bytes, is with the kernel, whole.
    Answered(usize),
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
    /// All that was to be answered was.
    Done,
    /// A conversation in which the peer said nothing.
    Silent,
    /// It failed before the reply was sent.
    Lost(io::Error),
    /// It said nothing for too long.
    TimedOut,
}

impl<S: Stream> Connection<S> {
    /// A connection just accepted. Nothing is received before an event says
    /// that there is something.
    pub fn new(stream: S, terms: Terms, now: Instant) -> Self {
        Self {
            stream,
            terms,
            state: State::Receiving,
            has_spoken: false,
            deadline: now + terms.read_timeout,
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

    /// An event: the socket is ready, perhaps with a mark, which is the peer's
    /// end or urgent data.
    pub fn ready(&mut self, with_mark: bool) {
        if with_mark {
            self.inbound = Inbound::WithMark;
        } else if self.inbound == Inbound::Empty {
            self.inbound = Inbound::Some;
        }
    }

    /// Does the next thing there is to do. The first [`BUFFER_SIZE`] bytes of
    /// `buffer` take the message, all of it takes what is discarded.
    pub fn step<'b>(&mut self, buffer: &'b mut [u8], now: Instant) -> Step<'b> {
        match &mut self.state {
            State::Receiving => self.step_receiving(buffer, now),
            State::Replying { reply, sent } if *sent < reply.len() => {
                let rest = &reply[*sent..];
                let result = if self.terms.conversation {
                    self.stream.send(rest)
                } else {
                    self.stream.send_last(rest)
                };
                match result {
                    Ok(more) => {
                        *sent += more;
                        Step::Again
                    }
                    Err(error) => or_wait(error, Step::WaitToSend, End::Lost),
                }
            }
            State::Replying { sent, .. } => {
                let sent = *sent;
                self.step_replied(sent, now)
            }
            State::Ending => match self.stream.end() {
                Ok(()) => {
                    self.state = State::Lingering;
                    Step::Again
                }
                Err(error) => or_wait(error, Step::WaitToSend, |_| End::Done),
            },
            State::Lingering => match self.receive(buffer) {
                Ok(0) => Step::Ended(End::Done),
                Ok(_) => Step::Again,
                // A peer that resets now has the reply, or did not want it.
                Err(error) => or_wait(error, Step::WaitToReceive, |_| End::Done),
            },
        }
    }

    fn step_receiving<'b>(&mut self, buffer: &'b mut [u8], now: Instant) -> Step<'b> {
        let limit = buffer.len().min(BUFFER_SIZE);
        match self.receive(&mut buffer[..limit]) {
            Ok(0) if self.terms.conversation => {
                Step::Ended(if self.has_spoken { End::Done } else { End::Silent })
            }
            Ok(len) => {
                self.has_spoken = true;
                self.state = State::Replying { reply: Arc::default(), sent: 0 };
                self.deadline = now + self.terms.linger;
                Step::Received(&buffer[..len])
            }
            // Between two messages a peer owes nobody an orderly end.
            Err(error) => or_wait(error, Step::WaitToReceive, |error| {
                if self.has_spoken { End::Done } else { End::Lost(error) }
            }),
        }
    }

    fn step_replied<'b>(&mut self, sent: usize, now: Instant) -> Step<'b> {
        if self.terms.conversation {
            self.state = State::Receiving;
            self.deadline = now + self.terms.read_timeout;
            return Step::Answered(sent);
        }
        match self.stream.end() {
            Ok(()) => {
                self.state = State::Lingering;
                Step::Answered(sent)
            }
            Err(error) => or_wait(error, Step::WaitToSend, End::Lost),
        }
    }

    /// Answers the message that a step has just received.
    pub fn answer(&mut self, reply: Arc<[u8]>) {
        if matches!(self.state, State::Replying { sent: 0, .. }) {
            self.state = State::Replying { reply, sent: 0 };
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

    /// How it ends, when its deadline has passed.
    pub fn expire(&self) -> End {
        match self.state {
            State::Receiving => End::TimedOut,
            State::Replying { .. } => End::Lost(ErrorKind::TimedOut.into()),
            State::Ending | State::Lingering => End::Done,
        }
    }

    /// At a stop: a reply under way is the last, a conversation ends as any
    /// connection does, and who has every reply is waited for until then at
    /// most.
    pub fn conclude(&mut self, until: Instant) {
        self.terms.conversation = false;
        if matches!(self.state, State::Receiving) && self.has_spoken {
            self.state = State::Ending;
        }
        if matches!(self.state, State::Ending | State::Lingering) {
            self.deadline = self.deadline.min(until);
        }
    }

    /// Whether a message is awaited: nothing is under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Receiving)
    }

    /// Whether a message is here that is not answered yet.
    pub fn is_replying(&self) -> bool {
        matches!(self.state, State::Replying { .. })
    }

    /// Whether no message has come at all.
    pub fn is_silent(&self) -> bool {
        !self.has_spoken
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
