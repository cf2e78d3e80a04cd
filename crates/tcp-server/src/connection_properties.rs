//! Properties of the state machine on a socket that does anything at all, with events at
//! any time, even without a reason.

use proptest::prelude::*;

use super::*;

type Answers = Vec<Result<usize, ErrorKind>>;

fn answers(most: usize) -> impl Strategy<Value = Answers> {
    let any_answer = prop_oneof![
        4 => (0..3000usize).prop_map(Ok),
        2 => Just(BLOCKS),
        1 => Just(Err(ErrorKind::Interrupted)),
        1 => Just(RESET),
    ];
    prop::collection::vec(any_answer, 0..most)
}

/// Each message is answered with one reply, which is complete before the next one. There
/// are `most` messages at most, and nothing is sent after the end. `turn` also checks that
/// nothing spins.
fn check(
    mut connection: Connection<Script>,
    events: Vec<bool>,
    now: Instant,
    most: usize,
) -> Result<(), TestCaseError> {
    let conversation = connection.is_conversation;
    let (mut received, mut answered) = (0, 0);
    for peer_ended in events {
        connection.on_ready(peer_ended);
        let steps = turn(&mut connection, now);
        received += steps.iter().filter(|step| step.starts_with("received")).count();
        answered += steps.iter().filter(|step| *step == "answered").count();
        prop_assert!(received <= most && answered <= received && received <= answered + 1);
        let sent = &connection.stream.sent;
        prop_assert!(b"ACK!".repeat(received).starts_with(sent));
        prop_assert!(sent.len() >= 4 * answered);
        prop_assert_eq!(connection.stream.ended, answered > 0 && !conversation);
        if steps.last().is_some_and(|step| step == "ended" || step.starts_with("Lost")) {
            break;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn one_message(inbound in answers(12), outbound in answers(6), events: Vec<bool>) {
        let now = Instant::now();
        check(connection(inbound, outbound, now), events, now, 1)?;
    }

    #[test]
    fn a_conversation(inbound in answers(12), outbound in answers(6), events: Vec<bool>) {
        let now = Instant::now();
        check(conversing(connection(inbound, outbound, now)), events, now, usize::MAX)?;
    }

    #[test]
    fn what_is_left_unanswered_has_an_end_and_nothing_else(
        inbound in answers(12),
        events: Vec<bool>,
        is_conversation: bool,
    ) {
        let now = Instant::now();
        let mut connection = connection(inbound, [], now);
        connection.is_conversation = is_conversation;
        let mut received = 0;
        'events: for peer_ended in events {
            connection.on_ready(peer_ended);
            for steps in 0.. {
                prop_assert!(steps < MOST_STEPS);
                match connection.step(&mut [0; 4096], &TERMS, now) {
                    Step::Received(_) => {
                        received += 1;
                        connection.leave_unanswered();
                    }
                    Step::Again => {}
                    Step::WaitToReceive => break,
                    Step::Ended(_) => break 'events,
                    step @ (Step::Answered(_) | Step::WaitToSend) => {
                        return Err(TestCaseError::fail(format!("{step:?}")));
                    }
                }
            }
            prop_assert_eq!(connection.stream.ended, received > 0);
        }
        prop_assert!(received <= 1 && connection.stream.sent.is_empty());
    }
}
