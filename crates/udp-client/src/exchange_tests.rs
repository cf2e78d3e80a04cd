//! The state machine on a scripted socket.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use common::probe::outcome::icmp::Version;

use super::*;
use crate::port::drain;

/// What the socket answers to each call, in order. Afterwards it sends everything, and has
/// nothing to receive.
#[derive(Debug, Default)]
struct Script {
    sends: RefCell<VecDeque<ErrorKind>>,
    receives: RefCell<VecDeque<Receive>>,
    icmp: RefCell<VecDeque<IcmpError>>,
    sent: Cell<u32>,
}

/// The sender and the text of a datagram.
type Receive = Result<(&'static str, &'static str), ErrorKind>;

impl Socket for Script {
    fn send(&self, _: &[u8], _: SocketAddr) -> io::Result<Instant> {
        if let Some(kind) = self.sends.borrow_mut().pop_front() {
            return Err(kind.into());
        }
        self.sent.set(self.sent.get() + 1);
        Ok(Instant::now())
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let next = self.receives.borrow_mut().pop_front();
        let (from, text) = next.unwrap_or(NOTHING)?;
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        let (len, from) = (text.len(), from.parse().unwrap());
        Ok(Received { len, from, to: Some(OTHER.parse().unwrap()), stamp: None, dscp: None })
    }

    fn peek(&self) -> io::Result<()> {
        let mut receives = self.receives.borrow_mut();
        match receives.front().copied().unwrap_or(NOTHING) {
            Ok(_) => Ok(()),
            Err(kind) => {
                receives.pop_front();
                Err(kind.into())
            }
        }
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        self.icmp.borrow_mut().pop_front()
    }
}

const NOTHING: Receive = Err(ErrorKind::WouldBlock);
const PEER: &str = "192.0.2.1:6666";
/// The address that datagrams come to. At first another one led to the target.
const OTHER: &str = "192.0.2.8:40000";
const LIMIT: Duration = Duration::from_secs(5);

fn receiving(receives: impl IntoIterator<Item = Receive>) -> Script {
    let receives = RefCell::new(receives.into_iter().collect());
    Script { receives, ..Script::default() }
}

fn ends() -> Ends {
    Ends { local: "192.0.2.7:40000".parse().unwrap(), peer: PEER.parse().unwrap() }
}

/// Steps until the exchange is over. `None` if it waits.
fn step_on(exchange: &mut Exchange, socket: &Script) -> Option<Result<String, Trouble>> {
    let mut buffer = [0; 64];
    for _ in 0..50 {
        match exchange.step(socket, &ends(), b"hello", &mut buffer) {
            Step::Again | Step::Foreign(_) | Step::TooLarge(_) => {}
            Step::Wait | Step::WaitToSend | Step::Sent(_) => return None,
            Step::Done(outcome) => {
                let text =
                    |reply: Received| String::from_utf8_lossy(&buffer[..reply.len]).into_owned();
                return Some(outcome.map(text));
            }
        }
    }
    panic!("the exchange spins: {exchange:?}");
}

/// Sends the datagram, and then steps on.
fn sent(exchange: &mut Exchange, socket: &Script) -> Option<Result<String, Trouble>> {
    assert_eq!(step_on(exchange, socket), None);
    step_on(exchange, socket)
}

#[test]
fn a_datagram_for_a_reply() {
    let socket = receiving([NOTHING, Ok((PEER, "ok!"))]);
    let mut exchange = Exchange::new();
    assert_eq!(sent(&mut exchange, &socket), None);
    assert_eq!(exchange.timed_out(LIMIT), Trouble::no_reply(LIMIT));
    assert_eq!(step_on(&mut exchange, &socket), Some(Ok("ok!".to_owned())));
    assert_eq!(socket.sent.get(), 1);
}

#[test]
fn draining_takes_what_an_earlier_exchange_left_and_its_errors() {
    let left = [Err(ErrorKind::ConnectionRefused), Ok((PEER, "late")), Ok(("192.0.2.9:9", "?"))];
    let socket = receiving(left.into_iter().chain([NOTHING, Ok((PEER, "ok!"))]));
    let old = IcmpError { version: Version::V4, kind: 3, code: 3, router: None, mtu: None };
    socket.icmp.borrow_mut().extend([old, old]);
    let drained = drain(&socket, &mut [0; 64]);
    let senders: Vec<_> = drained.datagrams.iter().map(|it| it.from.to_string()).collect();
    assert_eq!(senders, [PEER, "192.0.2.9:9"]);
    assert!(drained.has_errors && drained.is_empty, "{drained:?}");
    assert_eq!(socket.icmp.borrow().len(), 0);
    assert_eq!(sent(&mut Exchange::new(), &socket), Some(Ok("ok!".to_owned())));
}

#[test]
fn draining_a_flood_ends() {
    let socket = receiving((0..2 * MOST_RECEIVED).map(|_| Ok(("192.0.2.9:9", "flood"))));
    let drained = drain(&socket, &mut [0; 64]);
    assert_eq!(drained.datagrams.len(), MOST_RECEIVED as usize);
    assert!(!drained.is_empty);
}

#[test]
fn a_stranger_is_no_answer_and_is_named_if_nobody_answers() {
    for stranger in ["192.0.2.2:6666", "192.0.2.1:6667"] {
        let socket = receiving([Ok((stranger, "forged")), Ok((PEER, "ok!"))]);
        assert_eq!(sent(&mut Exchange::new(), &socket), Some(Ok("ok!".to_owned())));
        let socket = receiving([Ok((stranger, "forged"))]);
        let mut exchange = Exchange::new();
        assert_eq!(sent(&mut exchange, &socket), None);
        let trouble = exchange.timed_out(LIMIT);
        assert_eq!(trouble, Trouble::wrong_source(stranger.parse().unwrap()));
    }
}

#[test]
fn a_full_send_buffer_is_waited_for_and_a_refusal_is_the_reason() {
    let socket = receiving([Err(ErrorKind::ConnectionRefused)]);
    socket.sends.borrow_mut().extend([ErrorKind::WouldBlock, ErrorKind::Interrupted]);
    let mut waiting = Exchange::new();
    assert_eq!(step_on(&mut waiting, &socket), None);
    assert_eq!(socket.sent.get(), 0);
    let refused = Trouble::new(Verdict::Refused, "port unreachable");
    assert_eq!(sent(&mut waiting, &socket), Some(Err(refused)));
}

#[test]
fn a_reply_that_has_come_counts_although_an_error_is_returned_first() {
    let socket = receiving([Err(ErrorKind::HostUnreachable), Ok((PEER, "ok!"))]);
    let mut exchange = Exchange::new();
    assert_eq!(sent(&mut exchange, &socket), Some(Ok("ok!".to_owned())));
    assert!(exchange.has_failed());
}

#[test]
fn a_datagram_from_the_own_socket_is_no_reply() {
    for own in ["192.0.2.7:40000", OTHER] {
        let socket = receiving([Ok((own, "hello"))]);
        let itself = Trouble::connected_to_itself();
        assert_eq!(sent(&mut Exchange::new(), &socket), Some(Err(itself)));
    }
}

#[test]
fn the_same_address_on_another_link_is_another_address() {
    let same = |a: &str, b: &str| is_same(a.parse().unwrap(), b.parse().unwrap());
    assert!(same("[fe80::1%2]:7000", "[fe80::1%2]:7000"));
    assert!(!same("[fe80::1%2]:7000", "[fe80::1%3]:7000"));
}

#[test]
fn a_datagram_that_was_too_large_is_sent_again_but_not_for_ever() {
    let router = Some("192.0.2.9".parse().unwrap());
    let too_large = IcmpError { version: Version::V4, kind: 3, code: 4, router, mtu: Some(1400) };
    let socket = receiving([Err(ErrorKind::Other), Ok((PEER, "ok!"))]);
    socket.icmp.borrow_mut().push_back(too_large);
    let mut once = Exchange::new();
    assert_eq!(sent(&mut once, &socket), None, "sent again");
    assert_eq!(step_on(&mut once, &socket), Some(Ok("ok!".to_owned())));
    assert_eq!(socket.sent.get(), 2);
    assert_eq!(once.narrow(), Some(Narrow { router, mtu: Some(1400) }));

    let socket = receiving([Err(ErrorKind::Other); 9]);
    socket.icmp.borrow_mut().extend([too_large; 9]);
    let mut always = Exchange::new();
    let mut outcome = None;
    for _ in 0..9 {
        outcome = outcome.or_else(|| step_on(&mut always, &socket));
    }
    assert_eq!(outcome, Some(Err(too_large.into())));
    let trouble = Trouble::from(too_large).to_string();
    assert_eq!(trouble, "unreachable (mtu: too large for the way, says 192.0.2.9)");
    assert_eq!(socket.sent.get(), 1 + MOST_RESENDS);
}

#[test]
fn silence_after_it_was_sent_in_fragments_says_so() {
    let said = "says that a link takes 1280 bytes at most";
    for (router, mtu, words) in [
        (Some("192.0.2.9"), Some(1280), format!("192.0.2.9 {said}")),
        // This machine itself, and a router of before RFC 1191.
        (Some("192.0.2.7"), Some(1280), "a link takes 1280 bytes at most".to_owned()),
        (None, None, "a link takes no packet of that size".to_owned()),
    ] {
        let router = router.map(|router| router.parse().unwrap());
        let too_large = IcmpError { version: Version::V4, kind: 3, code: 4, router, mtu };
        let wider = IcmpError { mtu: Some(1400), ..too_large };
        let socket = receiving([Err(ErrorKind::Other), NOTHING, Err(ErrorKind::Other)]);
        socket.icmp.borrow_mut().extend([wider, too_large]);
        let mut exchange = Exchange::new();
        for _ in 0..4 {
            assert_eq!(step_on(&mut exchange, &socket), None);
        }
        assert_eq!(socket.sent.get(), 3);
        let trouble = exchange.timed_out(LIMIT);
        let fragments = "and it was sent again in fragments";
        let expected = format!("no-reply (mtu: nothing came back within 5s; {words}, {fragments})");
        assert_eq!(trouble.to_string(), expected);
    }
}

#[test]
fn the_error_queue_says_which_router_refuses() {
    let socket = receiving([Err(ErrorKind::HostUnreachable)]);
    let router = Some("192.0.2.9".parse().unwrap());
    let error = IcmpError { version: Version::V4, kind: 3, code: 13, router, mtu: None };
    socket.icmp.borrow_mut().push_back(error);
    assert_eq!(sent(&mut Exchange::new(), &socket), Some(Err(error.into())));
}
