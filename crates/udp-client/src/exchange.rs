//! One exchange: a state machine that sends a datagram and receives the reply.
//!
//! It reads no clock, prints nothing and makes no loop: [`Exchange::step`]
//! does one thing and says what came of it.

use std::io::{self, ErrorKind};

use common::destination::Trouble;

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
                Err(error) => match error.into() {
                    local @ Trouble::Local(_) => Step::Done(Err(local)),
                    // An earlier datagram's ICMP error, behind which there may
                    // be a reply to it.
                    Trouble::Peer(_) => Step::Again,
                },
                Ok(_) => Step::Again,
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
}

fn or_wait(error: io::Error) -> Step {
    match error.kind() {
        ErrorKind::WouldBlock => Step::Wait,
        ErrorKind::Interrupted => Step::Again,
        _ => Step::Done(Err(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    use super::*;

    /// What the socket answers to each call, in order; afterwards it blocks.
    #[derive(Debug, Default)]
    struct Script {
        sends: RefCell<VecDeque<ErrorKind>>,
        receives: RefCell<VecDeque<Result<&'static [u8], ErrorKind>>>,
        sent: Cell<u32>,
    }

    impl Socket for Script {
        fn send(&self, datagram: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.sends.borrow_mut().pop_front() {
                return Err(kind.into());
            }
            self.sent.set(self.sent.get() + 1);
            Ok(datagram.len())
        }

        fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
            let next = self.receives.borrow_mut().pop_front();
            let bytes = next.unwrap_or(Err(ErrorKind::WouldBlock))?;
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }
    }

    const NOTHING: Result<&[u8], ErrorKind> = Err(ErrorKind::WouldBlock);

    /// Steps until it is over, or waits: then `None`.
    fn go(exchange: &mut Exchange<'_, Script>) -> Option<Result<String, Trouble>> {
        let mut buffer = [0; 64];
        for _ in 0..50 {
            match exchange.step(&mut buffer) {
                Step::Again => {}
                Step::Wait => return None,
                Step::Done(outcome) => {
                    let text = |len| String::from_utf8_lossy(&buffer[..len]).into_owned();
                    return Some(outcome.map(text));
                }
            }
        }
        panic!("it spins: {exchange:?}");
    }

    #[test]
    fn a_datagram_for_a_reply() {
        let socket = Script {
            receives: RefCell::new([NOTHING, NOTHING, Ok(&b"ok!"[..])].into()),
            ..Script::default()
        };
        let mut exchange = Exchange::new(&socket, b"hello");
        assert_eq!(go(&mut exchange), None);
        assert_eq!(go(&mut exchange), Some(Ok("ok!".to_owned())));
        assert_eq!(socket.sent.get(), 1);
    }

    #[test]
    fn what_an_earlier_exchange_left_is_no_reply() {
        let left = [Err(ErrorKind::ConnectionRefused), Ok(&b"late"[..]), Ok(b"later")];
        let socket = Script {
            receives: RefCell::new(left.into_iter().chain([NOTHING, Ok(b"ok!")]).collect()),
            ..Script::default()
        };
        assert_eq!(go(&mut Exchange::new(&socket, b"hello")), Some(Ok("ok!".to_owned())));
    }

    #[test]
    fn a_full_send_buffer_is_waited_for_and_a_refusal_is_told() {
        let socket = Script {
            sends: RefCell::new([ErrorKind::WouldBlock, ErrorKind::Interrupted].into()),
            receives: RefCell::new([NOTHING, Err(ErrorKind::ConnectionRefused)].into()),
            ..Script::default()
        };
        let mut exchange = Exchange::new(&socket, b"hello");
        assert_eq!(go(&mut exchange), None);
        let refused = Trouble::Peer("connection refused".to_owned());
        assert_eq!(go(&mut exchange), Some(Err(refused)));
    }
}
