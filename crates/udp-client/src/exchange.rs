//! One exchange: a state machine that sends a datagram and receives the reply.
//!
//! It reads no clock, prints nothing and makes no loop: [`Exchange::step`]
//! does one thing and says what came of it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::probe::outcome::icmp::IcmpError;
use common::probe::outcome::trouble::Trouble;

/// What an exchange asks of its socket, which is not connected: so it hears
/// who answers in the target's place, too. None of the calls blocks.
pub trait Socket {
    /// Sends `datagram` whole to `peer`, and says when that began.
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<Instant>;

    /// Receives a datagram, and says from whom; what does not fit is lost.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// The next ICMP error that came back, where there is one.
    fn icmp_error(&self) -> Option<IcmpError>;
}

/// One exchange over a socket.
#[derive(Debug)]
pub struct Exchange {
    state: State,
    /// Why there will be no reply, unless it is here already.
    trouble: Option<Trouble>,
    /// Somebody else who has sent something meanwhile.
    stranger: Option<SocketAddr>,
    /// How often the datagram may be sent again.
    resends: u32,
}

/// Whence datagrams go, and where to: as the kernel has it.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

/// What is taken from a socket at once: more than a receive buffer usually holds,
/// and so little that a flood does not keep others waiting.
pub const MOST_HEARD: u32 = 1000;

/// A datagram that was too large for a link is sent again, in smaller
/// fragments: as often as links get narrower on the way, and no more.
const MOST_RESENDS: u32 = 4;

#[derive(Clone, Copy, Debug)]
enum State {
    Sending,
    Receiving,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Something was done, and there may be more to do.
    Again,
    /// The datagram is on its way since then: nothing to do until the socket is
    /// ready.
    Sent(Instant),
    /// Somebody else has sent something.
    Foreign(SocketAddr),
    /// Nothing to do until something comes.
    Wait,
    /// The datagram cannot be sent until the socket is ready for that.
    WaitToSend,
    /// It is over: the length of the reply in the buffer, or why there is none.
    Done(Result<usize, Trouble>),
}

impl Exchange {
    /// An exchange over a socket that was cleared.
    pub fn new() -> Self {
        let (state, resends) = (State::Sending, MOST_RESENDS);
        Self { state, trouble: None, stranger: None, resends }
    }

    /// Does the next thing there is to do to exchange `datagram`, on its `way`, for
    /// a reply, which goes into `buffer`.
    pub fn step(
        &mut self,
        socket: &impl Socket,
        way: &Way,
        datagram: &[u8],
        buffer: &mut [u8],
    ) -> Step {
        match self.state {
            State::Sending => match socket.send(datagram, way.peer) {
                Ok(sent) => {
                    self.state = State::Receiving;
                    Step::Sent(sent)
                }
                Err(error) => self.failed(socket, error),
            },
            State::Receiving => match socket.receive(buffer) {
                Ok((len, from)) if is_same(from, way.peer) => Step::Done(Ok(len)),
                // The kernel may take another of our addresses to send from
                // than the one that is gone to.
                Ok((_, from)) if is_same(from, way.local) => {
                    Step::Done(Err(Trouble::connected_to_itself()))
                }
                Ok((_, from)) => {
                    self.stranger = self.stranger.or(Some(from));
                    Step::Foreign(from)
                }
                Err(error) => self.failed(socket, error),
            },
        }
    }

    /// What it failed of, when `limit` has passed.
    pub fn timed_out(&self, limit: Duration) -> Trouble {
        self.stranger.map_or_else(|| Trouble::no_reply(limit), Trouble::wrong_source)
    }

    /// An error is told of by a call, before what is there is handed over, and
    /// explained by the queue.
    fn failed(&mut self, socket: &impl Socket, error: io::Error) -> Step {
        match error.kind() {
            ErrorKind::WouldBlock => match self.trouble.take() {
                Some(trouble) => Step::Done(Err(trouble)),
                None if matches!(self.state, State::Sending) => Step::WaitToSend,
                None => Step::Wait,
            },
            ErrorKind::Interrupted => Step::Again,
            _ => match socket.icmp_error() {
                Some(error) if error.is_too_large() && self.resends > 0 => {
                    self.resends -= 1;
                    self.state = State::Sending;
                    Step::Again
                }
                icmp => self.fail(icmp.map_or_else(|| error.into(), Trouble::from)),
            },
        }
    }

    /// There will be no reply; but one may be here.
    fn fail(&mut self, trouble: Trouble) -> Step {
        if matches!(self.state, State::Sending) || self.trouble.is_some() {
            return Step::Done(Err(trouble));
        }
        self.trouble = Some(trouble);
        Step::Again
    }
}

/// Takes what is there from a socket that no reply is expected from: has `hear`
/// told who sent it. ICMP errors are an earlier datagram's. Returns whether there
/// is no more.
pub fn clear(socket: &impl Socket, buffer: &mut [u8], mut hear: impl FnMut(SocketAddr)) -> bool {
    for _ in 0..MOST_HEARD {
        match socket.receive(buffer) {
            Ok((_, from)) => hear(from),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            // Behind it there may be datagrams.
            Err(_) => while socket.icmp_error().is_some() {},
        }
    }
    false
}

/// Whether they are the same address, port and, of link-local ones, link.
pub fn is_same(a: SocketAddr, b: SocketAddr) -> bool {
    let link = |address| match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    (a.ip(), a.port(), link(a)) == (b.ip(), b.port(), link(b))
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
