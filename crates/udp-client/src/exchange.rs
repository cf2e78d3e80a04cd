//! One exchange: a state machine that sends a datagram and receives the reply.
//!
//! It reads no clock, prints nothing and makes no loop: [`Exchange::step`]
//! does one thing and says what came of it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use common::probe::icmp::IcmpError;
use common::probe::trouble::Trouble;

/// What an exchange asks of its socket, which is not connected: so it hears
/// who answers in the target's place, too. None of the calls blocks.
pub trait Socket {
    /// Sends `datagram` whole to `peer`.
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<usize>;

    /// Receives a datagram, and says from whom; what does not fit is lost.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// The next ICMP error that came back, where there is one.
    fn icmp_error(&self) -> Option<IcmpError>;
}

/// One exchange over a socket.
#[derive(Debug)]
pub struct Exchange<'a, S> {
    socket: &'a S,
    way: Way,
    datagram: &'a [u8],
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

/// What is discarded before a datagram is sent: more than a receive buffer
/// holds, and so few that a flood does not keep it from being sent.
const MOST_CLEARED: u32 = 1000;

/// A datagram that was too large for a link is sent again, in smaller
/// fragments: as often as links get narrower on the way, and no more.
const MOST_RESENDS: u32 = 4;

#[derive(Clone, Copy, Debug)]
enum State {
    /// What is still there belongs to an earlier exchange, and is discarded: so
    /// many so far.
    Clearing(u32),
    Sending,
    Receiving,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Something was done, and there may be more to do.
    Again,
    /// The datagram is on its way.
    Sent,
    /// Nothing to do until the socket is ready.
    Wait,
    /// It is over: the length of the reply in the buffer, or why there is none.
    Done(Result<usize, Trouble>),
}

impl<'a, S: Socket> Exchange<'a, S> {
    /// An exchange of `datagram` for a reply, on its `way`.
    pub fn new(socket: &'a S, way: Way, datagram: &'a [u8]) -> Self {
        let (state, resends) = (State::Clearing(0), MOST_RESENDS);
        Self { socket, way, datagram, state, trouble: None, stranger: None, resends }
    }

    /// Does the next thing there is to do; a reply goes into `buffer`.
    pub fn step(&mut self, buffer: &mut [u8]) -> Step {
        match self.state {
            State::Clearing(cleared) => match self.socket.receive(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.cleared(),
                _ if cleared >= MOST_CLEARED => self.cleared(),
                // An earlier datagram's ICMP error, behind which there may be
                // a reply to it.
                Err(_) | Ok(_) => {
                    self.state = State::Clearing(cleared + 1);
                    Step::Again
                }
            },
            State::Sending => match self.socket.send(self.datagram, self.way.peer) {
                Ok(_) => {
                    self.state = State::Receiving;
                    Step::Sent
                }
                Err(error) => self.failed(error),
            },
            State::Receiving => match self.socket.receive(buffer) {
                Ok((len, from)) if is_same(from, self.way.peer) => Step::Done(Ok(len)),
                // The kernel may take another of our addresses to send from
                // than the one that is gone to.
                Ok((_, from)) if is_same(from, self.way.local) => {
                    Step::Done(Err(Trouble::connected_to_itself()))
                }
                Ok((_, from)) => {
                    self.stranger = self.stranger.or(Some(from));
                    Step::Again
                }
                Err(error) => self.failed(error),
            },
        }
    }

    fn cleared(&mut self) -> Step {
        while self.socket.icmp_error().is_some() {}
        self.state = State::Sending;
        Step::Again
    }

    /// What it failed of, when `limit` has passed.
    pub fn timed_out(&self, limit: Duration) -> Trouble {
        self.stranger.map_or_else(|| Trouble::no_reply(limit), Trouble::wrong_source)
    }

    /// An error is told of by a call, before what is there is handed over, and
    /// explained by the queue.
    fn failed(&mut self, error: io::Error) -> Step {
        match error.kind() {
            ErrorKind::WouldBlock => match self.trouble.take() {
                Some(trouble) => Step::Done(Err(trouble)),
                None => Step::Wait,
            },
            ErrorKind::Interrupted => Step::Again,
            _ => match self.socket.icmp_error() {
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

/// Whether they are the same address, port and, of link-local ones, link.
fn is_same(a: SocketAddr, b: SocketAddr) -> bool {
    let link = |address| match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    (a.ip(), a.port(), link(a)) == (b.ip(), b.port(), link(b))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    use common::probe::icmp::Version;

    use super::*;

    /// What the socket answers to each call, in order; afterwards it blocks.
    #[derive(Debug, Default)]
    struct Script {
        sends: RefCell<VecDeque<ErrorKind>>,
        receives: RefCell<VecDeque<Received>>,
        icmp: RefCell<VecDeque<IcmpError>>,
        sent: Cell<u32>,
    }

    type Received = Result<(&'static str, &'static str), ErrorKind>;

    impl Socket for Script {
        fn send(&self, datagram: &[u8], _: SocketAddr) -> io::Result<usize> {
            if let Some(kind) = self.sends.borrow_mut().pop_front() {
                return Err(kind.into());
            }
            self.sent.set(self.sent.get() + 1);
            Ok(datagram.len())
        }

        fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            let next = self.receives.borrow_mut().pop_front();
            let (from, text) = next.unwrap_or(NOTHING)?;
            buffer[..text.len()].copy_from_slice(text.as_bytes());
            Ok((text.len(), from.parse().unwrap()))
        }

        fn icmp_error(&self) -> Option<IcmpError> {
            self.icmp.borrow_mut().pop_front()
        }
    }

    const NOTHING: Received = Err(ErrorKind::WouldBlock);
    const PEER: &str = "192.0.2.1:6666";
    const LIMIT: Duration = Duration::from_secs(5);

    fn receiving(receives: impl IntoIterator<Item = Received>) -> Script {
        let receives = RefCell::new(receives.into_iter().collect());
        Script { receives, ..Script::default() }
    }

    fn exchange(socket: &Script) -> Exchange<'_, Script> {
        let local = "192.0.2.7:40000".parse().unwrap();
        Exchange::new(socket, Way { local, peer: PEER.parse().unwrap() }, b"hello")
    }

    /// Steps until it is over, or waits: then `None`.
    fn go(exchange: &mut Exchange<'_, Script>) -> Option<Result<String, Trouble>> {
        let mut buffer = [0; 64];
        for _ in 0..50 {
            match exchange.step(&mut buffer) {
                Step::Again | Step::Sent => {}
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
        let socket = receiving([NOTHING, NOTHING, Ok((PEER, "ok!"))]);
        let mut exchange = exchange(&socket);
        assert_eq!(go(&mut exchange), None);
        assert_eq!(exchange.timed_out(LIMIT), Trouble::no_reply(LIMIT));
        assert_eq!(go(&mut exchange), Some(Ok("ok!".to_owned())));
        assert_eq!(socket.sent.get(), 1);
    }

    #[test]
    fn what_an_earlier_exchange_left_is_no_reply() {
        let left = [Err(ErrorKind::ConnectionRefused), Ok((PEER, "late")), Ok((PEER, "later"))];
        let socket = receiving(left.into_iter().chain([NOTHING, Ok((PEER, "ok!"))]));
        let old = IcmpError { version: Version::V4, kind: 3, code: 3, router: None };
        socket.icmp.borrow_mut().extend([old, old]);
        assert_eq!(go(&mut exchange(&socket)), Some(Ok("ok!".to_owned())));
    }

    #[test]
    fn a_stranger_does_not_answer_and_is_named_when_nobody_does() {
        for stranger in ["192.0.2.2:6666", "192.0.2.1:6667"] {
            let socket = receiving([NOTHING, Ok((stranger, "forged")), Ok((PEER, "ok!"))]);
            assert_eq!(go(&mut exchange(&socket)), Some(Ok("ok!".to_owned())));
            let socket = receiving([NOTHING, Ok((stranger, "forged"))]);
            let mut exchange = exchange(&socket);
            assert_eq!(go(&mut exchange), None);
            let trouble = exchange.timed_out(LIMIT);
            assert_eq!(trouble, Trouble::wrong_source(stranger.parse().unwrap()));
        }
    }

    #[test]
    fn a_full_send_buffer_is_waited_for_and_a_refusal_is_told() {
        let socket = receiving([NOTHING, Err(ErrorKind::ConnectionRefused)]);
        socket.sends.borrow_mut().extend([ErrorKind::WouldBlock, ErrorKind::Interrupted]);
        let mut waiting = exchange(&socket);
        assert_eq!(go(&mut waiting), None);
        let refused = Trouble::from(io::Error::from(ErrorKind::ConnectionRefused));
        assert_eq!(go(&mut waiting), Some(Err(refused)));
    }

    #[test]
    fn a_reply_that_is_here_counts_although_an_error_is_told_of_first() {
        let unreachable = Err(ErrorKind::HostUnreachable);
        let socket = receiving([NOTHING, unreachable, Ok((PEER, "ok!"))]);
        assert_eq!(go(&mut exchange(&socket)), Some(Ok("ok!".to_owned())));
    }

    #[test]
    fn who_hears_himself_talks_to_himself() {
        let socket = receiving([NOTHING, Ok(("192.0.2.7:40000", "hello"))]);
        assert_eq!(go(&mut exchange(&socket)), Some(Err(Trouble::connected_to_itself())));
    }

    #[test]
    fn a_flood_does_not_keep_the_datagram_from_being_sent() {
        let flood = (0..2 * MOST_CLEARED).map(|_| Ok(("192.0.2.9:9", "flood")));
        let socket = receiving(flood);
        let mut flooded = exchange(&socket);
        while !matches!(flooded.step(&mut [0; 64]), Step::Sent) {}
        assert_eq!(socket.sent.get(), 1);
    }

    #[test]
    fn another_links_address_is_another_one() {
        let same = |a: &str, b: &str| is_same(a.parse().unwrap(), b.parse().unwrap());
        assert!(same("[fe80::1%2]:7000", "[fe80::1%2]:7000"));
        assert!(!same("[fe80::1%2]:7000", "[fe80::1%3]:7000"));
    }

    #[test]
    fn what_was_too_large_is_sent_again_and_not_for_ever() {
        let too_large = IcmpError { version: Version::V4, kind: 3, code: 4, router: None };
        let failing = || [NOTHING, NOTHING, Err(ErrorKind::Other)];
        let socket = receiving(failing().into_iter().chain([Ok((PEER, "ok!"))]));
        let mut once = exchange(&socket);
        assert_eq!(go(&mut once), None);
        socket.icmp.borrow_mut().push_back(too_large);
        assert_eq!(go(&mut once), Some(Ok("ok!".to_owned())));
        assert_eq!(socket.sent.get(), 2);

        let socket = receiving(failing().into_iter().chain([Err(ErrorKind::Other); 9]));
        let mut always = exchange(&socket);
        assert_eq!(go(&mut always), None);
        socket.icmp.borrow_mut().extend([too_large; 9]);
        assert_eq!(go(&mut always), Some(Err(too_large.into())));
        assert_eq!(socket.sent.get(), 1 + MOST_RESENDS);
    }

    #[test]
    fn the_queue_says_who_refuses() {
        let socket = receiving([NOTHING, NOTHING, Err(ErrorKind::HostUnreachable)]);
        let mut exchange = exchange(&socket);
        assert_eq!(go(&mut exchange), None);
        let router = Some("192.0.2.9".parse().unwrap());
        let error = IcmpError { version: Version::V4, kind: 3, code: 13, router };
        socket.icmp.borrow_mut().push_back(error);
        assert_eq!(go(&mut exchange), Some(Err(error.into())));
    }
}
