//! One exchange: a state machine that sends a datagram and receives the reply.
//!
//! It reads no clock, prints nothing and makes no loop: [`Exchange::step`]
//! does one thing and says what came of it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use common::target::Trouble;

/// What an exchange asks of its socket, which is connected: it hears its peer
/// alone, and of ICMP errors. None of the calls blocks.
pub trait Socket {
    /// Sends `datagram` whole.
    fn send(&self, datagram: &[u8]) -> io::Result<usize>;

    /// Receives a datagram; what does not fit is lost.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// One exchange over a socket.
#[derive(Debug)]
pub struct Exchange<'a, S> {
    socket: &'a S,
    datagram: &'a [u8],
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// What is still there belongs to an earlier exchange, and is discarded.
    Clearing,
    Sending,
    Receiving,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Something was done, and there may be more to do.
    Again,
    /// Nothing to do until the socket is ready.
    Wait,
    /// It is over: the length of the reply in the buffer, or why there is none.
    Done(Result<usize, Trouble>),
}

impl<'a, S: Socket> Exchange<'a, S> {
    /// An exchange of `datagram` for a reply.
    pub fn new(socket: &'a S, datagram: &'a [u8]) -> Self {
        Self { socket, datagram, state: State::Clearing }
    }

    /// Does the next thing there is to do; a reply goes into `buffer`.
    pub fn step(&mut self, buffer: &mut [u8]) -> Step {
        match self.state {
            State::Clearing => match self.socket.receive(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.go_on(State::Sending),
                // An earlier datagram's reply, or its ICMP error.
                _ => Step::Again,
            },
            State::Sending => match self.socket.send(self.datagram) {
                Ok(_) => self.go_on(State::Receiving),
                Err(error) => or_wait(error),
            },
            State::Receiving => match self.socket.receive(buffer) {
                Ok(len) => Step::Done(Ok(len)),
                Err(error) => or_wait(error),
            },
        }
    }

    fn go_on(&mut self, state: State) -> Step {
        self.state = state;
        Step::Again
    }

    /// What it failed of, when `limit` has passed.
    pub fn timed_out(&self, limit: Duration) -> Trouble {
        Trouble::none_within("reply", limit)
    }
}

fn or_wait(error: io::Error) -> Step {
    match error.kind() {
        ErrorKind::WouldBlock => Step::Wait,
        ErrorKind::Interrupted => Step::Again,
        _ => Step::Done(Err(error.into())),
    }
}
