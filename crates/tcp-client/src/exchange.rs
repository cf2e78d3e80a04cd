//! One exchange: a state machine that connects, sends the message and receives
//! the reply.
//!
//! ```text
//! Connecting ──▶ Sending ──message, or as much as the peer takes──▶ Receiving ──▶ done
//! ```
//!
//! It reads no clock, prints nothing and makes no loop: [`Exchange::step`]
//! does one thing and says what came of it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use common::destination::Trouble;
use common::protocol::BUFFER_SIZE;

use crate::stream::Stream;

/// One exchange over a connection that is being made.
#[derive(Debug)]
pub struct Exchange<'m, S> {
    stream: S,
    message: &'m [u8],
    state: State,
}

#[derive(Debug)]
enum State {
    Connecting,
    /// So many bytes of the message are sent.
    Sending {
        sent: usize,
    },
    /// The message is sent, or could not be sent to its end: then this says
    /// why, should no reply be there either.
    Receiving {
        unsent: Option<Trouble>,
    },
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Something was done, and there may be more to do.
    Again,
    /// Nothing to do until the socket is ready.
    Wait,
    /// It is over: the reply, or why there is none.
    Done(Result<Vec<u8>, Trouble>),
}

impl<'m, S: Stream> Exchange<'m, S> {
    /// An exchange over `stream`, which is being connected.
    pub fn new(stream: S, message: &'m [u8]) -> Self {
        Self { stream, message, state: State::Connecting }
    }

    /// Does the next thing there is to do.
    pub fn step(&mut self) -> Step {
        match &mut self.state {
            State::Connecting => match self.stream.is_connected() {
                Ok(true) => self.go_on(State::Sending { sent: 0 }),
                Ok(false) => Step::Wait,
                // It stood, and was reset since: the reply may have come first.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    self.go_on(State::Receiving { unsent: Some(error.into()) })
                }
                Err(error) => Step::Done(Err(error.into())),
            },
            State::Sending { sent } if *sent < self.message.len() => {
                match self.stream.send(&self.message[*sent..]) {
                    Ok(more) => {
                        *sent += more;
                        Step::Again
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => Step::Again,
                    // A peer that takes no more may have answered already.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.receive(),
                    Err(error) => self.go_on(State::Receiving { unsent: Some(unsent(error)) }),
                }
            }
            State::Sending { .. } => self.go_on(State::Receiving { unsent: None }),
            State::Receiving { .. } => self.receive(),
        }
    }

    fn go_on(&mut self, state: State) -> Step {
        self.state = state;
        Step::Again
    }

    /// The reply is what one receive returns, as in the tutorial. After a
    /// failed send it is still looked for: it may have come before that.
    fn receive(&mut self) -> Step {
        let mut buffer = [0; BUFFER_SIZE];
        let unsent = match &self.state {
            State::Receiving { unsent } => unsent.clone(),
            _ => None,
        };
        let closed = || Trouble::Peer("closed without a reply".to_owned());
        match self.stream.receive(&mut buffer) {
            Ok(0) => Step::Done(Err(unsent.unwrap_or_else(closed))),
            Ok(len) => Step::Done(Ok(buffer[..len].to_vec())),
            Err(error) => match (error.kind(), unsent) {
                (ErrorKind::Interrupted, _) => Step::Again,
                (ErrorKind::WouldBlock, None) => Step::Wait,
                (ErrorKind::WouldBlock, Some(trouble)) => Step::Done(Err(trouble)),
                _ => Step::Done(Err(error.into())),
            },
        }
    }

    /// What it failed of, when `limit` has passed.
    pub fn timed_out(&self, limit: Duration) -> Trouble {
        match self.state {
            State::Connecting => Trouble::none_within("connection", limit),
            State::Sending { .. } | State::Receiving { .. } => Trouble::none_within("reply", limit),
        }
    }

    /// The underlying socket, to register it and to ask for its addresses.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

/// Why the message could not be sent to its end.
fn unsent(error: io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::BrokenPipe => Trouble::Peer("closed before the message was sent".to_owned()),
        _ => error.into(),
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
