//! One exchange: a state machine that sends a datagram and receives the reply.
//!
//! The machine reads no clock, prints nothing and makes no loop: [`Exchange::step`] makes the
//! next call on the socket and returns its result.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::probe::outcome::icmp::{IcmpError, Narrow};
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::verdict::Verdict;
use nix::sys::time::TimeSpec;

/// The calls that an exchange makes. The socket is not connected, so that it also receives
/// what somebody other than the target answers. None of the calls blocks.
pub trait Socket {
    /// Sends `datagram` whole to `peer`. Returns the time right before the call.
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<Instant>;

    /// Receives a datagram. Bytes that do not fit into `buffer` are lost.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received>;

    /// Looks whether there is something to receive, which costs less than to receive. The error
    /// is that of a receive.
    fn peek(&self) -> io::Result<()>;

    /// The next ICMP error that came back, if there is one.
    fn icmp_error(&self) -> Option<IcmpError>;
}

/// A datagram that was received into a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Its length.
    pub len: usize,
    /// Its sender.
    pub from: SocketAddr,
    /// This machine's address that it came to, and the port, if the kernel says so.
    pub to: Option<SocketAddr>,
    /// When it came to this machine, if the kernel says so.
    pub stamp: Option<TimeSpec>,
    /// Its DSCP, if the kernel was asked for it.
    pub dscp: Option<u8>,
}

/// One exchange over a socket.
#[derive(Debug)]
pub struct Exchange {
    state: State,
    /// Why no reply will come. A reply that has come already still counts.
    trouble: Option<Trouble>,
    /// The first sender of a datagram who is not the target.
    stranger: Option<SocketAddr>,
    /// How often the datagram may still be sent again.
    resends: u32,
    /// The last link that the datagram was too large for.
    narrow: Option<Narrow>,
}

/// The two ends of an exchange, as the kernel has them: if 0.0.0.0 was asked for, `peer` is
/// the loopback address.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

/// How many datagrams are received from a socket at once: more than a receive buffer
/// usually holds, and so few that a flood does not keep other sockets waiting.
pub const MOST_RECEIVED: u32 = 1000;

/// How often a datagram is sent again because it was too large for a link. The kernel then
/// sends smaller fragments. Each narrower link on the way may take one more attempt.
const MOST_RESENDS: u32 = 4;

#[derive(Clone, Copy, Debug)]
enum State {
    Sending,
    Receiving,
}

/// The result of a step.
#[derive(Debug)]
pub enum Step {
    /// Something was done, and there may be more to do.
    Again,
    /// The datagram was sent at this time. Nothing to do until the socket is ready.
    Sent(Instant),
    /// Somebody other than the target has sent a datagram.
    Foreign(Received),
    /// The datagram was too large for this link, and is sent again.
    TooLarge(Narrow),
    /// Nothing to do until a datagram comes.
    Wait,
    /// The datagram cannot be sent until the socket is ready for writing.
    WaitToSend,
    /// The exchange is over: the reply, which is in the buffer, or why there is none.
    Done(Result<Received, Trouble>),
}

impl Exchange {
    /// An exchange over a socket that was drained before.
    pub fn new() -> Self {
        let (state, resends) = (State::Sending, MOST_RESENDS);
        Self { state, trouble: None, stranger: None, resends, narrow: None }
    }

    /// Makes the next call: sends `datagram` from one end to the other, or receives the
    /// reply into `buffer`.
    pub fn step(
        &mut self,
        socket: &impl Socket,
        ends: &Ends,
        datagram: &[u8],
        buffer: &mut [u8],
    ) -> Step {
        match self.state {
            State::Sending => self.send(socket, ends, datagram),
            State::Receiving => self.receive(socket, ends, buffer),
        }
    }

    fn send(&mut self, socket: &impl Socket, ends: &Ends, datagram: &[u8]) -> Step {
        match socket.send(datagram, ends.peer) {
            Ok(sent) => {
                self.state = State::Receiving;
                Step::Sent(sent)
            }
            Err(error) => self.failed(socket, ends, error),
        }
    }

    fn receive(&mut self, socket: &impl Socket, ends: &Ends, buffer: &mut [u8]) -> Step {
        match socket.receive(buffer) {
            Ok(received) if is_own(&received, ends) => {
                Step::Done(Err(Trouble::connected_to_itself()))
            }
            Ok(received) if is_same(received.from, ends.peer) => Step::Done(Ok(received)),
            Ok(received) => {
                self.stranger = self.stranger.or(Some(received.from));
                Step::Foreign(received)
            }
            Err(error) => self.failed(socket, ends, error),
        }
    }

    /// Why the exchange fails when `limit` has passed.
    pub fn timed_out(&mut self, limit: Duration) -> Trouble {
        let silence = || match (self.stranger, self.narrow) {
            (Some(stranger), _) => Trouble::wrong_source(stranger),
            (None, Some(narrow)) => Trouble::no_reply_to_fragments(limit, narrow),
            (None, None) => Trouble::no_reply(limit),
        };
        self.trouble.take().unwrap_or_else(silence)
    }

    /// Whether an error came back, even if a reply came, too.
    pub fn has_failed(&self) -> bool {
        self.trouble.is_some()
    }

    /// Decides what the `error` of a call means. The kernel returns an error before it hands
    /// over datagrams that have come already. The error queue explains the error.
    fn failed(&mut self, socket: &impl Socket, ends: &Ends, error: io::Error) -> Step {
        match error.kind() {
            ErrorKind::WouldBlock => match self.trouble.take() {
                Some(trouble) => Step::Done(Err(trouble)),
                None if matches!(self.state, State::Sending) => Step::WaitToSend,
                None => Step::Wait,
            },
            ErrorKind::Interrupted => Step::Again,
            _ => match socket.icmp_error() {
                Some(error) if error.is_too_large() => self.too_large(error, ends),
                icmp => self.fail(icmp.map_or_else(|| unexplained(&error), Trouble::from)),
            },
        }
    }

    /// Notes which link the datagram was too large for, and sends it again, but not for ever.
    fn too_large(&mut self, error: IcmpError, ends: &Ends) -> Step {
        // This machine is no router on the way.
        let router = error.router.filter(|router| *router != ends.local.ip());
        let narrow = *self.narrow.insert(Narrow { router, mtu: error.mtu });
        let Some(left) = self.resends.checked_sub(1) else {
            return self.fail(error.into());
        };
        (self.resends, self.state) = (left, State::Sending);
        Step::TooLarge(narrow)
    }

    /// The last link that the datagram was too large for, if there was one.
    pub fn narrow(&self) -> Option<Narrow> {
        self.narrow
    }

    /// Notes that no reply will come. A reply that has come already is still received.
    fn fail(&mut self, trouble: Trouble) -> Step {
        if matches!(self.state, State::Sending) || self.trouble.is_some() {
            return Step::Done(Err(trouble));
        }
        self.trouble = Some(trouble);
        Step::Again
    }
}

/// What `error` means that no queued ICMP error explains.
fn unexplained(error: &io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::ConnectionRefused => Trouble::new(Verdict::Refused, "port unreachable"),
        _ => error.into(),
    }
}

/// Whether this socket itself has sent the datagram. Its address may differ from the target's
/// and from what it was at first: the kernel chooses among this machine's addresses for each
/// datagram.
fn is_own(received: &Received, ends: &Ends) -> bool {
    let is_sender = |own| is_same(received.from, own);
    is_sender(ends.local) || received.to.is_some_and(is_sender)
}

/// Whether both are the same address and port, and the same link if they are link-local.
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
