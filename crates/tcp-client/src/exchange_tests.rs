//! The state machine on a scripted socket.

#[path = "exchange_tests/script.rs"]
mod script;

use proptest::prelude::*;

use super::*;
use common::probe::outcome::icmp::{IcmpError, Version};
use script::Script;

/// More steps than any script here needs.
const MOST_STEPS: usize = 50;

/// Steps until the exchange is over. `None` if it waits.
fn step_on(exchange: &mut Exchange<'_, Script>) -> Option<Result<Reply, Trouble>> {
    for _ in 0..MOST_STEPS {
        match exchange.step(&mut [0; AT_ONCE]) {
            Step::Again | Step::Connected | Step::Sent | Step::Received => {}
            Step::Wait => return None,
            Step::Done(outcome) => return Some(outcome),
        }
    }
    panic!("the exchange spins: {exchange:?}");
}

fn failed(verdict: Verdict, why: &str) -> Option<Result<Reply, Trouble>> {
    Some(Err(Trouble::new(verdict, why)))
}

/// A reply, and whether it is complete.
fn replied(bytes: &[u8], complete: Option<bool>) -> Option<Result<Reply, Trouble>> {
    Some(Ok(Reply { bytes: bytes.to_vec(), complete }))
}

/// The tutorial's reply, whole.
fn ack() -> Option<Result<Reply, Trouble>> {
    replied(b"ACK!", Some(true))
}

const MESSAGE: &[u8] = b"hehe, just for a test!";
const READING: Reading = Reading { longest: 1024, waits_for_more: true };
const REQUEST: Request<'_> = Request {
    goal: Goal::Reply,
    message: MESSAGE,
    half_close: false,
    expected_reply: ExpectedReply::Any,
    reading: READING,
};
const HALF_CLOSE: Request<'_> = Request { half_close: true, ..REQUEST };
const BLOCKS: ErrorKind = ErrorKind::WouldBlock;
const REPLY: Result<&[u8], ErrorKind> = Ok(b"ACK!");
const END: Result<&[u8], ErrorKind> = Ok(b"");

#[test]
fn it_connects_sends_and_receives() {
    let script = Script {
        connects: [Ok(false), Ok(true)].into(),
        sends: [Ok(4), Err(BLOCKS)].into(),
        receives: [Err(BLOCKS), Err(BLOCKS), REPLY, END].into(),
        ..Script::default()
    };
    let mut exchange = Exchange::new(script, REQUEST);
    let limit = Duration::from_secs(5);
    assert_eq!(step_on(&mut exchange), None);
    assert_eq!(
        Some(exchange.timed_out(limit)),
        Some(Err(Trouble::no_connection(Duration::from_secs(5))))
    );
    assert_eq!(step_on(&mut exchange), None, "it waits to send the rest");
    assert_eq!(step_on(&mut exchange), None, "it waits for the reply");
    assert_eq!(Some(exchange.timed_out(limit)), Some(Err(Trouble::silent(Duration::from_secs(5)))));
    assert_eq!(step_on(&mut exchange), ack());
    assert_eq!(exchange.stream.sent, MESSAGE);
}

#[test]
fn a_reply_that_comes_before_the_message_is_sent_counts() {
    let script = Script {
        sends: [Ok(4), Err(BLOCKS)].into(),
        receives: [REPLY, END].into(),
        ..Script::default()
    };
    assert_eq!(step_on(&mut Exchange::new(script, REQUEST)), ack());
}

#[test]
fn after_a_failed_send_the_reply_is_still_received() {
    for error in [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset] {
        let script = Script {
            sends: [Ok(4), Err(error)].into(),
            receives: [REPLY, END].into(),
            ..Script::default()
        };
        assert_eq!(step_on(&mut Exchange::new(script, REQUEST)), ack());
    }
}

#[test]
fn a_connection_that_was_reset_already_may_have_brought_the_reply() {
    for (receive, outcome) in [(REPLY, ack()), (END, failed(Verdict::Reset, "connection reset"))] {
        let script = Script {
            connects: [Err(ErrorKind::ConnectionReset)].into(),
            receives: [receive, END].into(),
            ..Script::default()
        };
        assert_eq!(step_on(&mut Exchange::new(script, REQUEST)), outcome);
    }
}

#[test]
fn without_a_reply_the_failed_send_is_the_reason() {
    for receive in [END, Err(BLOCKS)] {
        let script = Script {
            sends: [Err(ErrorKind::BrokenPipe)].into(),
            receives: [receive].into(),
            ..Script::default()
        };
        let outcome = step_on(&mut Exchange::new(script, REQUEST));
        assert_eq!(outcome, failed(Verdict::NoReply, "closed before the message was sent"));
    }
}

#[test]
fn what_the_peer_does_instead_of_answering_is_the_reason() {
    for (connect, receive, verdict, why) in [
        (Err(ErrorKind::ConnectionRefused), END, Verdict::Refused, "a reset came back"),
        (Ok(true), END, Verdict::NoReply, "closed without a reply"),
        (Ok(true), Err(ErrorKind::ConnectionReset), Verdict::Reset, "connection reset"),
    ] {
        let script =
            Script { connects: [connect].into(), receives: [receive].into(), ..Script::default() };
        assert_eq!(step_on(&mut Exchange::new(script, REQUEST)), failed(verdict, why));
    }
}

#[test]
fn icmp_says_why_there_is_no_connection() {
    let router = Some("192.0.2.1".parse().unwrap());
    let error = IcmpError { version: Version::V4, kind: 3, code: 13, router, mtu: None };
    // If the error comes within connect(2), the kernel does not close the socket.
    for still_stands in [false, true] {
        let script = Script {
            connects: [Err(ErrorKind::HostUnreachable)].into(),
            icmp: Some(error),
            still_stands,
            ..Script::default()
        };
        assert_eq!(step_on(&mut Exchange::new(script, REQUEST)), Some(Err(error.into())));
    }
}

/// An exchange that receives this, and expects `expected_reply`.
fn receiving(
    receives: &[Result<&'static [u8], ErrorKind>],
    expected_reply: ExpectedReply<'static>,
) -> Exchange<'static, Script> {
    let script = Script { receives: receives.to_vec().into(), ..Script::default() };
    Exchange::new(
        script,
        Request { expected_reply, reading: Reading { longest: 8, ..READING }, ..REQUEST },
    )
}

#[test]
fn the_reply_ends_when_the_peer_ends_its_side() {
    let mut waiting = receiving(&[Ok(b"AC"), Err(BLOCKS), Ok(b"K!"), END], ExpectedReply::Any);
    assert_eq!((step_on(&mut waiting), step_on(&mut waiting)), (None, ack()));
    // The peer does not end it, or is reset, or it is too long: then it is what has come so far.
    let mut open = receiving(&[REPLY], ExpectedReply::Any);
    assert_eq!(step_on(&mut open), None);
    assert_eq!(Some(open.timed_out(Duration::ZERO)), replied(b"ACK!", None));
    let reset = &[REPLY, Err(ErrorKind::ConnectionReset)];
    assert_eq!(step_on(&mut receiving(reset, ExpectedReply::Any)), replied(b"ACK!", None));
    let just_fits = &[Ok(b"ACK!".as_slice()), REPLY, END];
    assert_eq!(
        step_on(&mut receiving(just_fits, ExpectedReply::Any)),
        replied(b"ACK!ACK!", Some(true))
    );
    let too_long = &[Ok(b"ACK!".as_slice()), REPLY, Ok(b"!")];
    assert_eq!(
        step_on(&mut receiving(too_long, ExpectedReply::Any)),
        replied(b"ACK!ACK!", Some(false))
    );
}

#[test]
fn the_expected_reply_is_waited_for_and_another_one_is_not() {
    let expected = ExpectedReply::Whole(b"ACK!");
    let mut waiting = receiving(&[Ok(b"AC"), Err(BLOCKS), Ok(b"K!"), Err(BLOCKS), END], expected);
    assert_eq!((step_on(&mut waiting), waiting.needs_more()), (None, true));
    assert_eq!((step_on(&mut waiting), waiting.needs_more()), (None, false));
    assert_eq!(step_on(&mut waiting), ack());
    // It ends early, or differs, or goes on after what was expected.
    assert_eq!(step_on(&mut receiving(&[Ok(b"AC"), END], expected)), replied(b"AC", Some(true)));
    assert_eq!(step_on(&mut receiving(&[Ok(b"AX")], expected)), replied(b"AX", None));
    assert_eq!(step_on(&mut receiving(&[REPLY, Ok(b"!")], expected)), replied(b"ACK!!", None));
    let prefix = ExpectedReply::Prefix(b"ACK");
    assert_eq!(step_on(&mut receiving(&[REPLY, END], prefix)), ack());
    let mut late = receiving(&[Ok(b"AC")], expected);
    assert_eq!(step_on(&mut late), None);
    assert_eq!(Some(late.timed_out(Duration::ZERO)), replied(b"AC", None));
}

#[test]
fn once_the_connection_stands_a_lost_way_is_no_reply() {
    for kind in [ErrorKind::TimedOut, ErrorKind::HostUnreachable] {
        let script = Script { receives: [Err(kind)].into(), ..Script::default() };
        let outcome = step_on(&mut Exchange::new(script, REQUEST));
        let Some(Err(trouble)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(trouble.verdict, Verdict::NoReply);
    }
    // The peer closed at once, so that the send of a half-close finds no connection.
    let script = Script {
        sends: [Err(ErrorKind::NotConnected)].into(),
        receives: [END].into(),
        ..Script::default()
    };
    let outcome = step_on(&mut Exchange::new(script, HALF_CLOSE));
    assert_eq!(outcome, failed(Verdict::NoReply, "closed before the message was sent"));
}

#[test]
fn once_the_connection_stands_an_icmp_error_ends_nothing() {
    // The kernel returns the error from the next call, and queues nothing.
    let error = ErrorKind::HostUnreachable;
    let stands = || Script { still_stands: true, ..Script::default() };
    for script in [
        Script { sends: [Ok(4), Err(error)].into(), ..stands() },
        Script { ends: [Err(error)].into(), ..stands() },
        Script { receives: [Err(BLOCKS), Err(error)].into(), ..stands() },
    ] {
        let mut exchange = Exchange::new(script, HALF_CLOSE);
        assert_eq!((step_on(&mut exchange), step_on(&mut exchange)), (None, None));
        exchange.stream.receives.extend([REPLY, END]);
        assert_eq!(step_on(&mut exchange), ack());
        assert!(exchange.stream.sent == MESSAGE && exchange.stream.ended);
    }
}

#[test]
fn an_error_that_stays_ends_the_exchange() {
    let errors = vec![Err(ErrorKind::OutOfMemory); MOST_STEPS];
    let script = Script { receives: errors.into(), still_stands: true, ..Script::default() };
    let outcome = step_on(&mut Exchange::new(script, REQUEST));
    assert!(
        matches!(&outcome, Some(Err(trouble)) if trouble.verdict == Verdict::Local),
        "{outcome:?}"
    );
}

#[test]
fn a_half_close_goes_with_the_message() {
    for half_close in [false, true] {
        let mut exchange = Exchange::new(Script::default(), Request { half_close, ..REQUEST });
        assert_eq!(step_on(&mut exchange), None);
        let Script { sent, held_back, ended, .. } = exchange.stream;
        assert_eq!((sent.as_slice(), held_back, ended), (MESSAGE, half_close, half_close));
    }
    // With an empty message there is nothing to send: this side is ended at once.
    let mut exchange = Exchange::new(Script::default(), Request { message: b"", ..HALF_CLOSE });
    assert_eq!(step_on(&mut exchange), None);
    assert!(exchange.stream.ended && !exchange.stream.held_back);
}

#[test]
fn a_connection_is_enough_if_only_that_is_asked_for() {
    let ask = |goal, connects: &[Result<bool, ErrorKind>], receives: &[_]| {
        let (connects, receives) = (connects.to_vec().into(), receives.to_vec().into());
        let script = Script { connects, receives, ..Script::default() };
        let mut exchange = Exchange::new(script, Request { goal, ..REQUEST });
        let outcome = step_on(&mut exchange);
        assert!(exchange.stream.sent.is_empty() && !exchange.stream.ended);
        outcome.unwrap_or_else(|| exchange.timed_out(Duration::from_secs(5)))
    };
    let stands = |said: &[u8]| replied(said, None).unwrap();
    // Also if it was reset before the loop has seen that it stood.
    for connect in [Ok(true), Err(ErrorKind::ConnectionReset)] {
        assert_eq!(ask(Goal::Connection, &[connect], &[REPLY]), stands(b""));
        assert_eq!(ask(Goal::Greeting, &[connect], &[REPLY]), stands(b"ACK!"));
    }
    for receive in [END, Err(BLOCKS), Err(ErrorKind::ConnectionReset)] {
        assert_eq!(ask(Goal::Greeting, &[], &[receive]), stands(b""));
    }
    assert_eq!(
        ask(Goal::Connection, &[Ok(false)], &[]),
        Err(Trouble::no_connection(Duration::from_secs(5)))
    );
    let refused = Trouble::new(Verdict::Refused, "a reset came back");
    assert_eq!(ask(Goal::Greeting, &[Err(ErrorKind::ConnectionRefused)], &[]), Err(refused));
}

fn any_error() -> impl Strategy<Value = ErrorKind> {
    prop_oneof![
        3 => Just(BLOCKS),
        1 => Just(ErrorKind::Interrupted),
        1 => Just(ErrorKind::ConnectionReset),
        1 => Just(ErrorKind::BrokenPipe),
        1 => Just(ErrorKind::HostUnreachable),
    ]
}

proptest! {
    /// Whatever the socket does, only the message is sent, the reply is what was received,
    /// and the machine never spins.
    #[test]
    fn any_behaviour_of_the_socket(
        connects in prop::collection::vec(prop_oneof![Just(Ok(false)), any_error().prop_map(Err)], 0..3),
        sends in prop::collection::vec(prop_oneof![(1..9usize).prop_map(Ok), any_error().prop_map(Err)], 0..9),
        receives in prop::collection::vec(
            prop_oneof![Just(Ok(&b"ACK!"[..])), Just(END), any_error().prop_map(Err)], 0..9),
        still_stands: bool,
        events in 0..20usize,
    ) {
        let script = Script {
            connects: connects.into(), sends: sends.into(), receives: receives.into(),
            still_stands, ..Script::default()
        };
        let mut exchange = Exchange::new(script, REQUEST);
        for _ in 0..events {
            let outcome = step_on(&mut exchange);
            prop_assert!(MESSAGE.starts_with(&exchange.stream.sent));
            match outcome {
                None => {}
                Some(Ok(reply)) => {
                    prop_assert!(b"ACK!".repeat(9).starts_with(&reply.bytes));
                    prop_assert!(!reply.bytes.is_empty());
                    break;
                }
                Some(Err(_)) => break,
            }
        }
    }
}
