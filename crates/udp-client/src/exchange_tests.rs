//! The state machine on a scripted socket.

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
