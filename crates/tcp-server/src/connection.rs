//! One connection: a state machine that receives a message, sends the reply,
//! and waits for the peer to close.
//!
//! ```text
//! Receiving ──message, or the peer's end──▶ Replying ──reply and FIN──▶ Lingering ──▶ ended
//!     ▲                                        │
//!     └──────── reply, in a conversation ──────┘
//! ```
//!
//! In a conversation every message is answered, until the peer ends it.
//!
//! The state machine reads no clock, prints nothing and makes no loop.
//! [`Connection::step`] makes one system call at most and returns what came of it; the
//! event loop decides whether to go on. Calling it too often does no harm.

// The path is for the fuzz target, which takes this file in from another crate.
#[path = "connection/step.rs"]
mod step;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::protocol::BUFFER_SIZE;
use common::stream::Stream;

use step::or_wait;
pub use step::{End, Step};

/// One connection, from its accept to its end.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    state: State,
    deadline: Instant,
    inbound: Inbound,
    is_registered: bool,
    has_received: bool,
    /// Whether the last message came in one piece, as far as is known.
    is_whole: bool,
    /// Whether every message is answered, or the next one is the last.
    is_conversation: bool,
}

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

#[derive(Debug)]
enum State {
    /// Waits for a message.
    Receiving,
    /// Sends the reply, which is short. `sent` bytes of it are sent.
    Replying { reply: Arc<[u8]>, sent: u32 },
    /// No message will be answered any more, and the FIN is not sent yet.
    Ending,
    /// Reply and FIN are sent, and the peer has not closed yet. Data that still comes is
    /// discarded: closing a connection with unread data resets it, and the peer might
    /// lose the reply (RFC 1122, section 4.2.2.13).
    Lingering,
    /// The reply is sent, and the FIN can only be sent by closing the connection.
    Closing,
}

/// What the kernel holds for us to receive, as far as is known.
///
/// Readiness is edge-triggered. After a short read there is nothing to receive until
/// the next event, and a call that would only return EAGAIN is saved. This does not
/// hold if the event came with a mark (the peer's end, or urgent data): a receive stops
/// short at a mark, and there is no further event for what lies behind it. Where there are no
/// events, there may always be a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inbound {
    Empty,
    Some,
    WithMark,
}

impl<S: Stream> Connection<S> {
    /// A connection that was just accepted, and is not registered yet. What it holds is not
    /// known, so the first step tries.
    pub fn new(stream: S, terms: &Terms, now: Instant) -> Self {
        Self {
            stream,
            state: State::Receiving,
            deadline: now + terms.read_timeout,
            inbound: Inbound::WithMark,
            is_registered: false,
            has_received: false,
            is_whole: false,
            is_conversation: terms.conversation,
        }
    }

    /// When to end the connection: see [`Connection::expire`].
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The socket, to register it.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Notes that the socket is registered: an event will announce what it holds already, too.
    pub fn on_registered(&mut self) {
        self.is_registered = true;
        self.inbound = Inbound::Empty;
    }

    /// Whether the socket is registered. If it is not, nothing is announced, and what it holds
    /// has to be tried.
    pub fn is_registered(&self) -> bool {
        self.is_registered
    }

    /// Notes that the socket is ready, perhaps with a mark: the peer's end, or urgent
    /// data.
    pub fn on_ready(&mut self, with_mark: bool) {
        if with_mark {
            self.inbound = Inbound::WithMark;
        } else if self.inbound == Inbound::Empty {
            self.inbound = Inbound::Some;
        }
    }

    /// Takes the next step, on the `terms` that the connection was made with. Receives a message
    /// into the first [`BUFFER_SIZE`] bytes of `buffer`, and data to be discarded into all of it.
    pub fn step<'b>(&mut self, buffer: &'b mut [u8], terms: &Terms, now: Instant) -> Step<'b> {
        match &mut self.state {
            State::Receiving => self.receive_message(buffer, terms, now),
            State::Replying { reply, sent } if (*sent as usize) < reply.len() => {
                let is_last = !self.is_conversation;
                Self::send_reply(&mut self.stream, reply, sent, is_last)
            }
            State::Replying { sent, .. } => {
                let sent = *sent as usize;
                self.end_reply(sent, terms, now)
            }
            State::Ending => self.end_unanswered(),
            State::Lingering => self.discard(buffer),
            State::Closing => Step::Ended(End::Done),
        }
    }

    /// Sets the reply to the message that the last step received.
    pub fn answer(&mut self, reply: Arc<[u8]>) {
        if matches!(self.state, State::Replying { sent: 0, .. }) {
            self.state = State::Replying { reply, sent: 0 };
        }
    }

    /// Leaves the message unanswered that the last step received, and ends this side.
    pub fn leave_unanswered(&mut self) {
        if matches!(self.state, State::Replying { sent: 0, .. }) {
            self.state = State::Ending;
        }
    }

    /// How the connection ends if its deadline has passed.
    pub fn expire(&self) -> End {
        match self.state {
            State::Receiving => End::TimedOut,
            State::Replying { .. } => End::Lost(ErrorKind::TimedOut.into()),
            State::Ending | State::Lingering | State::Closing => End::Done,
        }
    }

    /// Concludes the connection at a stop. A reply under way is the last one, and a
    /// conversation ends like any other connection. If every message is answered, the
    /// peer has until `last_linger` at most to close.
    pub fn conclude(&mut self, last_linger: Instant) {
        self.is_conversation = false;
        if matches!(self.state, State::Receiving) && self.has_received {
            self.state = State::Ending;
        }
        if matches!(self.state, State::Ending | State::Lingering) {
            self.deadline = self.deadline.min(last_linger);
        }
    }

    /// How long ago the last message came, if the peer only has to close.
    pub fn lingers_for(&self, terms: &Terms, now: Instant) -> Option<Duration> {
        let until = matches!(self.state, State::Lingering).then_some(self.deadline)?;
        Some(terms.linger.saturating_sub(until.saturating_duration_since(now)))
    }

    /// Whether the connection waits for a message.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Receiving)
    }

    /// Whether a message has come whose reply is not sent yet.
    pub fn is_replying(&self) -> bool {
        matches!(self.state, State::Replying { .. })
    }

    /// Whether the peer will get no reply any more.
    pub fn owes_nothing(&self) -> bool {
        matches!(self.state, State::Ending | State::Lingering | State::Closing)
    }

    /// Whether the peer is expected to send nothing but its end.
    pub fn only_has_to_close(&self) -> bool {
        self.is_whole && self.owes_nothing()
    }

    /// Whether no message has come so far.
    pub fn is_silent(&self) -> bool {
        !self.has_received
    }

    /// Receives a message.
    fn receive_message<'b>(
        &mut self,
        buffer: &'b mut [u8],
        terms: &Terms,
        now: Instant,
    ) -> Step<'b> {
        let limit = buffer.len().min(BUFFER_SIZE);
        match self.receive(&mut buffer[..limit]) {
            Ok(0) if self.is_conversation => {
                Step::Ended(if self.has_received { End::Done } else { End::Silent })
            }
            Ok(len) => {
                self.has_received = true;
                self.is_whole = len < limit;
                self.state = State::Replying { reply: Arc::default(), sent: 0 };
                self.deadline = now + terms.linger;
                Step::Received(&buffer[..len])
            }
            // After a message was answered, an abrupt end is as good as an orderly one.
            Err(error) => or_wait(error, Step::WaitToReceive, |error| {
                if self.has_received { End::Done } else { End::Lost(error) }
            }),
        }
    }

    /// Sends more of `reply`, of which `sent` bytes are sent. The last reply shares its
    /// last segment with the FIN.
    fn send_reply<'b>(stream: &mut S, reply: &[u8], sent: &mut u32, is_last: bool) -> Step<'b> {
        let unsent = &reply[*sent as usize..];
        let result = if is_last { stream.send_last(unsent) } else { stream.send(unsent) };
        match result {
            Ok(more) => {
                *sent += more as u32;
                Step::Again
            }
            Err(error) => or_wait(error, Step::WaitToSend, End::Lost),
        }
    }

    /// Once the reply is sent: ends this side or, in a conversation, waits for the next
    /// message.
    fn end_reply<'b>(&mut self, sent: usize, terms: &Terms, now: Instant) -> Step<'b> {
        if self.is_conversation {
            self.state = State::Receiving;
            self.deadline = now + terms.read_timeout;
            self.await_peer();
            return Step::Answered(sent);
        }
        match self.stream.end() {
            Ok(()) => {
                self.state = State::Lingering;
                self.await_peer();
                Step::Answered(sent)
            }
            // A sandbox may refuse the call. Closing the connection ends this side, too.
            Err(error)
                if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) =>
            {
                self.state = State::Closing;
                Step::Answered(sent)
            }
            Err(error) => or_wait(error, Step::WaitToSend, End::Lost),
        }
    }

    /// After the reply it is the peer's turn. To receive at once would hardly ever bring anything,
    /// and is left to the next try. What was announced is received all the same.
    fn await_peer(&mut self) {
        if !self.is_registered {
            self.inbound = Inbound::Empty;
        }
    }

    /// Ends this side of a conversation at a stop, or of a message that is not answered.
    fn end_unanswered<'b>(&mut self) -> Step<'b> {
        match self.stream.end() {
            Ok(()) => {
                self.state = State::Lingering;
                Step::Again
            }
            Err(error) => or_wait(error, Step::WaitToSend, |_| End::Done),
        }
    }

    /// Discards what the peer still sends, until the peer's end.
    fn discard<'b>(&mut self, buffer: &mut [u8]) -> Step<'b> {
        match self.receive(buffer) {
            Ok(0) => Step::Ended(End::Done),
            Ok(_) => Step::Again,
            // A peer that resets the connection now has the reply, or did not want it.
            Err(error) => or_wait(error, Step::WaitToReceive, |_| End::Done),
        }
    }

    /// Receives some bytes. Makes no call if there are known to be none.
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
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
