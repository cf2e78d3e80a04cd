//! One exchange: a state machine that connects, sends the message and receives the reply.
//!
//! ```text
//! Connecting ──▶ Sending ──message, or as much as the peer takes──▶ Receiving ──▶ done
//!     │             └──▶ Ending, with a half-close ──▶ ┘
//!     └──▶ Standing, if only a connection is asked for ──▶ done
//! ```
//!
//! The machine reads no clock, prints nothing and makes no loop: [`Exchange::step`] makes the
//! next call on the socket and returns its result.

use std::io::{self, ErrorKind};
use std::mem;
use std::time::Duration;

use common::probe::outcome::expected_reply::ExpectedReply;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::verdict::Verdict;
use common::protocol::BUFFER_SIZE;

use crate::silence::{self, Sent};
use crate::stream::Connecting;

/// How many bytes are received at once, as in the tutorial: a usual reply fits in.
pub const AT_ONCE: usize = BUFFER_SIZE;

/// How many errors may be passing: [`Exchange::is_passing`].
const MOST_PASSING: u32 = 2;

/// What is asked for, what is sent, and what is expected of the reply.
#[derive(Clone, Copy, Debug)]
pub struct Request<'m> {
    pub goal: Goal,
    pub message: &'m [u8],
    /// Whether this side of the connection is ended after the message.
    pub half_close: bool,
    /// What the reply is expected to be.
    pub expected_reply: ExpectedReply<'m>,
    /// How much of the reply is read.
    pub reading: Reading,
}

/// What an exchange has to bring to be a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A reply to the message.
    Reply,
    /// A connection, over which nothing is sent.
    Connection,
    /// A connection. What the peer says by itself is waited for, and is no part of the success.
    Greeting,
}

/// How much of a reply is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// How many bytes at most.
    pub longest: usize,
    /// Whether to wait for more after the beginning, if the peer has not ended its side.
    pub waits_for_more: bool,
}

/// What the peer said; its greeting, if it was not asked for anything.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub bytes: Vec<u8>,
    /// Whether that is all: the peer has ended its side. It is not all if the reply is longer
    /// than is read. None if the peer has not ended its side, and has said no more so far.
    pub complete: Option<bool>,
}

/// One exchange over a connection that is being made.
#[derive(Debug)]
pub struct Exchange<'m, S> {
    stream: S,
    request: Request<'m>,
    received: Vec<u8>,
    state: State,
    /// How many errors were perhaps passing ones.
    passed: u32,
}

#[derive(Debug)]
enum State {
    Connecting,
    /// The connection stands, which is what was asked for.
    Standing,
    /// `sent` bytes of the message are sent.
    Sending {
        sent: usize,
    },
    /// The message is sent, and this side is ended next.
    Ending,
    /// The message is sent. Or not all of it could be sent: `unsent` says why, and is the
    /// exchange's trouble if no reply came either.
    Receiving {
        unsent: Option<Trouble>,
    },
}

/// The result of a step.
#[derive(Debug)]
pub enum Step {
    /// Something was done, and there may be more to do.
    Again,
    /// The connection stands.
    Connected,
    /// The whole message is sent.
    Sent,
    /// Some of the reply is here.
    Received,
    /// Nothing to do until the socket is ready.
    Wait,
    /// The exchange is over: the reply, or why there is none.
    Done(Result<Reply, Trouble>),
}

impl<'m, S: Connecting> Exchange<'m, S> {
    /// An exchange over `stream`, which is being connected.
    pub fn new(stream: S, request: Request<'m>) -> Self {
        Self { stream, request, received: Vec::new(), state: State::Connecting, passed: 0 }
    }

    /// Makes the next call. What is received goes through `buffer`.
    pub fn step(&mut self, buffer: &mut [u8]) -> Step {
        match self.state {
            State::Connecting => self.connect(),
            State::Standing => self.listen(buffer),
            State::Sending { sent } if sent < self.request.message.len() => self.send(sent, buffer),
            State::Sending { .. } if self.request.half_close => self.go_on(State::Ending),
            State::Sending { .. } => self.sent(),
            State::Ending => self.end(),
            State::Receiving { .. } => self.receive(buffer),
        }
    }

    /// Asks whether the connection stands.
    fn connect(&mut self) -> Step {
        match self.stream.is_connected() {
            Ok(true) if self.stream.is_own_peer() => {
                Step::Done(Err(Trouble::connected_to_itself()))
            }
            Ok(true) => self.connected(),
            Ok(false) => Step::Wait,
            // The connection stood, and was then reset.
            Err(error)
                if error.kind() == ErrorKind::ConnectionReset
                    && self.request.goal != Goal::Reply =>
            {
                self.connected()
            }
            // The reply may have come before that.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.go_on(State::Receiving { unsent: Some(error.into()) })
            }
            Err(error) => Step::Done(Err(self.trouble(error))),
        }
    }

    fn connected(&mut self) -> Step {
        self.state = match self.request.goal {
            Goal::Reply => State::Sending { sent: 0 },
            Goal::Connection | Goal::Greeting => State::Standing,
        };
        Step::Connected
    }

    /// Receives what the peer says by itself, if that is asked for. Whatever the peer does, the
    /// connection has stood.
    fn listen(&mut self, buffer: &mut [u8]) -> Step {
        if self.request.goal == Goal::Greeting {
            match self.stream.receive(buffer) {
                Ok(len) => self.received.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => return Step::Again,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
                Err(_) => {}
            }
        }
        self.reply(None)
    }

    /// Sends what follows the first `sent` bytes of the message.
    fn send(&mut self, sent: usize, buffer: &mut [u8]) -> Step {
        let rest = &self.request.message[sent..];
        let result = if self.request.half_close {
            self.stream.send_last(rest)
        } else {
            self.stream.send(rest)
        };
        match result {
            Ok(more) => self.go_on(State::Sending { sent: sent + more }),
            Err(error) if error.kind() == ErrorKind::Interrupted => Step::Again,
            // A peer that takes no more may have answered already.
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.receive(buffer),
            Err(error) => self.unsent(error),
        }
    }

    /// Ends this side after the message.
    fn end(&mut self) -> Step {
        match self.stream.end() {
            Ok(()) => self.sent(),
            Err(error) => self.unsent(error),
        }
    }

    /// The trouble behind `error`: the ICMP error if one came back, else `error` itself.
    fn trouble(&self, error: io::Error) -> Trouble {
        if error.kind() == ErrorKind::ConnectionRefused && !self.stream.has_error_queue() {
            return Trouble::new(Verdict::Refused, "a reset or an ICMP error came back");
        }
        self.stream.icmp_error().map_or_else(|| error.into(), Trouble::from)
    }

    /// Not all of the message could be sent. The reply may have come all the same.
    fn unsent(&mut self, error: io::Error) -> Step {
        if self.is_passing() {
            return Step::Again;
        }
        self.go_on(State::Receiving { unsent: Some(Trouble::connected(error)) })
    }

    /// Whether the last error is only an ICMP error, which does not end a connection. After the
    /// first one the kernel reports no more; but the next may have come before that.
    fn is_passing(&mut self) -> bool {
        self.passed += 1;
        self.passed <= MOST_PASSING && self.stream.is_passing()
    }

    fn sent(&mut self) -> Step {
        self.state = State::Receiving { unsent: None };
        Step::Sent
    }

    fn go_on(&mut self, state: State) -> Step {
        self.state = state;
        Step::Again
    }

    /// Receives more of the reply, even after a failed send: the reply may have come before
    /// that. The reply ends when the peer ends its side; the tutorial's is what one receive
    /// returns, but a longer one comes in pieces.
    fn receive(&mut self, buffer: &mut [u8]) -> Step {
        let unsent = match &self.state {
            State::Receiving { unsent } => unsent.clone(),
            _ => None,
        };
        let trouble = match self.stream.receive(buffer) {
            Ok(0) if !self.received.is_empty() => return self.reply(Some(true)),
            Ok(0) => {
                let closed = || Trouble::new(Verdict::NoReply, "closed without a reply");
                unsent.unwrap_or_else(closed)
            }
            Ok(len) => {
                self.received.extend_from_slice(&buffer[..len]);
                return self.received();
            }
            Err(error) => match (error.kind(), unsent) {
                (ErrorKind::Interrupted, _) => return Step::Again,
                (ErrorKind::WouldBlock, None) => return Step::Wait,
                (ErrorKind::WouldBlock, Some(trouble)) => trouble,
                _ if self.is_passing() => return Step::Again,
                _ => Trouble::connected(error),
            },
        };
        Step::Done(self.ended(trouble))
    }

    /// More of the reply is here. There is no need to read on if it is too long, or cannot
    /// become the expected one.
    fn received(&mut self) -> Step {
        if self.received.len() > self.request.reading.longest {
            self.received.truncate(self.request.reading.longest);
            return self.reply(Some(false));
        }
        if self.request.expected_reply.is_ruled_out(&self.received) {
            return self.reply(None);
        }
        Step::Received
    }

    fn reply(&mut self, complete: Option<bool>) -> Step {
        Step::Done(Ok(self.said(complete)))
    }

    fn said(&mut self, complete: Option<bool>) -> Reply {
        Reply { bytes: mem::take(&mut self.received), complete }
    }

    /// Whether the bytes received are only the beginning of what is expected.
    pub fn needs_more(&self) -> bool {
        self.request.expected_reply.needs_more(&self.received)
    }

    /// The result when nothing more will come: the bytes received are the reply, if there are
    /// any.
    fn ended(&mut self, trouble: Trouble) -> Result<Reply, Trouble> {
        if self.received.is_empty() {
            return Err(trouble);
        }
        Ok(self.said(None))
    }

    /// The result when nothing more is waited for: `limit` has passed, or nothing more of the
    /// reply has come for a while.
    pub fn timed_out(&mut self, limit: Duration) -> Result<Reply, Trouble> {
        match self.state {
            State::Connecting => Err(Trouble::no_connection(limit)),
            State::Standing => Ok(self.said(None)),
            // A part of a reply is the reply.
            _ if !self.received.is_empty() => Ok(self.said(None)),
            State::Sending { .. } | State::Ending | State::Receiving { .. } => {
                let len = self.request.message.len();
                let is_all = !matches!(self.state, State::Sending { sent } if sent < len);
                Err(silence::explain(limit, Sent { len, is_all }, self.stream.figures()))
            }
        }
    }

    /// The underlying socket.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
