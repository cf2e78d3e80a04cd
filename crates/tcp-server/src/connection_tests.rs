//! Scenarios of the state machine, on a scripted socket.

#[path = "connection_tests/script.rs"]
mod script;

use super::*;

use script::*;

#[test]
fn a_message_is_answered_and_the_peer_closes() {
    let now = Instant::now();
    let mut connection = connection([Ok(5), PEER_ENDS], [], now);
    assert!(turn(&mut connection, now).is_empty(), "nothing is received before an event");
    connection.on_ready(false);
    assert_eq!(turn(&mut connection, now), ["received 5", "again", "answered"]);
    assert_eq!(connection.stream.sent, b"ACK!");
    assert!(connection.stream.held_back && connection.stream.ended, "in one segment");
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["ended"]);
}

#[test]
fn before_it_is_registered_a_connection_is_tried() {
    let now = Instant::now();
    let mut early = accepted([Ok(5), PEER_ENDS], [], now);
    assert_eq!(turn(&mut early, now), ["received 5", "again", "answered"], "then the peer's turn");
    assert!(!early.is_registered() && early.owes_nothing());
    early.on_ready(true);
    assert_eq!(turn(&mut early, now), ["ended"]);

    let mut late = accepted([BLOCKS, Ok(5), PEER_ENDS], [], now);
    assert!(turn(&mut late, now).is_empty());
    late.on_registered();
    assert!(turn(&mut late, now).is_empty(), "what is there will be announced");
    late.on_ready(true);
    assert_eq!(turn(&mut late, now), ["received 5", "again", "answered", "ended"]);
}

#[test]
fn before_it_is_registered_a_short_read_says_nothing() {
    let now = Instant::now();
    let mut conversation = conversing(accepted([Ok(5), Ok(7), PEER_ENDS], [], now));
    let exchange = |len| [format!("received {len}"), "again".to_owned(), "answered".to_owned()];
    assert_eq!(turn(&mut conversation, now), exchange(5));
    conversation.on_ready(true);
    assert_eq!(turn(&mut conversation, now), exchange(7));
    conversation.on_ready(true);
    assert_eq!(turn(&mut conversation, now), ["ended"]);
}

#[test]
fn an_end_that_came_with_the_message_needs_no_second_event() {
    let now = Instant::now();
    let mut connection = connection([Ok(5), PEER_ENDS], [], now);
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["received 5", "again", "answered", "ended"]);
}

#[test]
fn an_end_without_a_message_is_answered_all_the_same() {
    let now = Instant::now();
    let mut connection = connection([PEER_ENDS, PEER_ENDS], [], now);
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["received 0", "again", "answered", "ended"]);
}

#[test]
fn what_follows_the_message_is_discarded_to_the_last_byte() {
    let now = Instant::now();
    let mut connection = connection([Ok(9000), PEER_ENDS], [], now);
    connection.on_ready(true);
    let steps = turn(&mut connection, now);
    assert_eq!(steps, ["received 1024", "again", "answered", "again", "again", "ended"]);
}

#[test]
fn a_full_buffer_is_no_short_read() {
    let now = Instant::now();
    let mut connection = connection([Ok(1024), PEER_ENDS], [], now);
    connection.on_ready(false);
    assert_eq!(turn(&mut connection, now), ["received 1024", "again", "answered", "ended"]);
}

#[test]
fn a_reply_goes_out_in_as_many_pieces_as_it_takes() {
    let now = Instant::now();
    let mut connection = connection([Ok(5)], [Ok(1), BLOCKS, Ok(2), BLOCKS], now);
    connection.on_ready(false);
    assert_eq!(turn(&mut connection, now), ["received 5", "again", "wait to send"]);
    assert_eq!(turn(&mut connection, now), ["again", "wait to send"]);
    assert_eq!(turn(&mut connection, now), ["again", "answered"]);
    assert_eq!(connection.stream.sent, b"ACK!");
}

#[test]
fn an_end_that_cannot_be_sent_is_tried_again_or_loses_the_connection() {
    let now = Instant::now();
    let mut interrupted = connection([Ok(5)], [], now);
    interrupted.stream.end_errors = [ErrorKind::Interrupted].into();
    interrupted.on_ready(false);
    assert_eq!(turn(&mut interrupted, now), ["received 5", "again", "again", "answered"]);
    let mut blocked = connection([Ok(5)], [], now);
    blocked.stream.end_errors = [ErrorKind::WouldBlock].into();
    blocked.on_ready(false);
    assert_eq!(turn(&mut blocked, now), ["received 5", "again", "wait to send"]);
    assert_eq!(turn(&mut blocked, now), ["answered"]);
    let mut gone = connection([Ok(5)], [], now);
    gone.stream.end_errors = [ErrorKind::NotConnected].into();
    gone.on_ready(false);
    assert_eq!(turn(&mut gone, now), ["received 5", "again", "Lost(Kind(NotConnected))"]);
}

#[test]
fn a_reset_before_the_message_loses_the_connection() {
    let now = Instant::now();
    let mut connection = connection([RESET], [], now);
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["Lost(Kind(ConnectionReset))"]);
}

#[test]
fn a_reset_after_the_reply_is_an_end_like_any_other() {
    let now = Instant::now();
    let mut connection = connection([Ok(5), RESET], [], now);
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["received 5", "again", "answered", "ended"]);
}

#[test]
fn an_interrupted_call_is_made_again() {
    let now = Instant::now();
    let interrupted = Err(ErrorKind::Interrupted);
    let mut connection = connection([interrupted, Ok(5)], [interrupted], now);
    connection.on_ready(false);
    assert_eq!(turn(&mut connection, now), ["again", "received 5", "again", "again", "answered"]);
}

#[test]
fn deadlines_count_from_the_accept_and_then_from_the_message() {
    let start = Instant::now();
    let later = start + Duration::from_secs(10);
    let mut silent = connection([], [], start);
    silent.on_ready(false);
    turn(&mut silent, later);
    assert_eq!(silent.deadline(), start + TERMS.read_timeout, "an empty event gives no new time");
    assert!(matches!(silent.expire(), End::TimedOut));

    let mut answered = connection([Ok(5)], [], start);
    answered.on_ready(false);
    turn(&mut answered, later);
    assert_eq!(answered.deadline(), later + TERMS.linger);
    assert!(matches!(answered.expire(), End::Done));

    let mut stuck = connection([Ok(5)], [BLOCKS], start);
    stuck.on_ready(false);
    turn(&mut stuck, later);
    assert!(matches!(stuck.expire(), End::Lost(_)));
}

#[test]
fn in_a_conversation_every_message_is_answered() {
    let now = Instant::now();
    let inbound = [Ok(5), Ok(1024), Ok(7), PEER_ENDS];
    let mut connection = conversing(connection(inbound, [], now));
    assert!(connection.is_silent() && connection.is_idle());
    connection.on_ready(false);
    let exchange = |len| [format!("received {len}"), "again".to_owned(), "answered".to_owned()];
    assert_eq!(turn(&mut connection, now), exchange(5), "a short read: nothing more is here");
    assert!(!connection.is_silent() && connection.is_idle());
    connection.on_ready(true);
    let steps = turn(&mut connection, now);
    assert_eq!(steps, [&exchange(1024)[..], &exchange(7)[..], &["ended".to_owned()]].concat());
    assert_eq!(connection.stream.sent, b"ACK!ACK!ACK!");
    assert!(!connection.stream.held_back, "no reply waits for another one");
}

#[test]
fn a_conversation_without_a_message_is_not_answered() {
    let now = Instant::now();
    let mut connection = conversing(connection([PEER_ENDS], [], now));
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["Silent"]);
    assert!(connection.stream.sent.is_empty());
}

#[test]
fn each_reply_of_a_conversation_gives_a_new_deadline() {
    let start = Instant::now();
    let later = start + Duration::from_secs(10);
    let mut connection = conversing(connection([Ok(5)], [], start));
    connection.on_ready(false);
    turn(&mut connection, later);
    assert_eq!(connection.deadline(), later + TERMS.read_timeout);
    assert!(matches!(connection.expire(), End::TimedOut));
}

#[test]
fn a_reset_between_two_messages_is_an_end_like_any_other() {
    let now = Instant::now();
    let mut connection = conversing(connection([Ok(5), RESET], [], now));
    connection.on_ready(true);
    assert_eq!(turn(&mut connection, now), ["received 5", "again", "answered", "ended"]);
}

#[test]
fn without_an_answer_the_connection_just_ends() {
    let now = Instant::now();
    let mut connection = connection([Ok(5)], [], now);
    connection.on_ready(false);
    assert!(matches!(connection.step(&mut [0; 64], &TERMS, now), Step::Received(_)));
    assert!(matches!(connection.step(&mut [0; 64], &TERMS, now), Step::Answered(0)));
    assert!(connection.stream.ended);
}

#[test]
fn at_a_stop_a_peer_with_its_reply_has_less_time() {
    let now = Instant::now();
    let soon = now + Duration::from_millis(500);
    let mut lingering = connection([Ok(5)], [], now);
    lingering.on_ready(false);
    turn(&mut lingering, now);
    lingering.conclude(soon);
    assert_eq!(lingering.deadline(), soon);
    lingering.conclude(now + Duration::from_secs(9));
    assert_eq!(lingering.deadline(), soon, "never more");
    let mut stuck = connection([Ok(5)], [BLOCKS], now);
    stuck.on_ready(false);
    turn(&mut stuck, now);
    stuck.conclude(soon);
    assert_eq!(stuck.deadline(), now + TERMS.linger);
}

#[test]
fn at_a_stop_a_conversation_ends_like_any_other_connection() {
    let now = Instant::now();
    let soon = now + Duration::from_millis(500);
    let mut idle = conversing(connection([Ok(5), BLOCKS, Ok(7), PEER_ENDS], [], now));
    idle.on_ready(true);
    turn(&mut idle, now);
    idle.conclude(soon);
    // Data that comes now is discarded, and not answered.
    assert_eq!(turn(&mut idle, now), ["again"]);
    assert!(idle.stream.ended && idle.stream.sent == b"ACK!");
    assert_eq!(idle.deadline(), soon);
    idle.on_ready(true);
    assert_eq!(turn(&mut idle, now), ["again", "ended"]);

    let mut replying = conversing(connection([Ok(5), Ok(7)], [Ok(1), BLOCKS], now));
    replying.on_ready(true);
    assert_eq!(turn(&mut replying, now), ["received 5", "again", "wait to send"]);
    replying.conclude(soon);
    let steps = turn(&mut replying, now);
    assert_eq!(steps, ["again", "answered", "again"], "this reply is the last");
    assert!(replying.stream.ended && replying.stream.sent == b"ACK!");
}

#[path = "connection_counts.rs"]
mod counts;

#[path = "connection_properties.rs"]
mod properties;

#[test]
fn where_shutdown_is_refused_closing_ends_this_side() {
    let now = Instant::now();
    let mut connection = connection([Ok(5)], [], now);
    connection.stream_mut().end_errors.push_back(ErrorKind::PermissionDenied);
    connection.on_ready(false);
    assert_eq!(turn(&mut connection, now), ["received 5", "again", "answered", "ended"]);
}

#[test]
fn a_peer_only_has_to_close_if_its_message_came_in_one_piece() {
    let now = Instant::now();
    for (len, is_whole) in [(1023, true), (1024, false), (5000, false)] {
        let mut connection = accepted([Ok(len)], [], now);
        assert!(!connection.only_has_to_close(), "{len}: no message yet");
        turn(&mut connection, now);
        assert!(connection.owes_nothing());
        assert_eq!(connection.only_has_to_close(), is_whole, "{len}");
    }
}
