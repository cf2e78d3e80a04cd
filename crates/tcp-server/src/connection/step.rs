//! What comes of a step of a connection, and how it ends.

use std::io::{self, ErrorKind};

/// What came of a step.
#[derive(Debug)]
pub enum Step<'b> {
    /// A message has come. Answer it with [`Connection::answer`](super::Connection::answer), or not with
    /// [`Connection::leave_unanswered`](super::Connection::leave_unanswered). The message is empty if
    /// the peer only ended its side.
    Received(&'b [u8]),
    /// The kernel has taken the whole reply, which has this many bytes.
    Answered(usize),
    /// Something was done, and there may be more to do at once.
    Again,
    /// There is nothing to do until the socket is readable.
    WaitToReceive,
    /// There is nothing to do until the socket is writable.
    WaitToSend,
    /// The connection is over. Drop it.
    Ended(End),
}

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// Every message was answered.
    Done,
    /// The peer ended a conversation without a message.
    Silent,
    /// The connection failed before the reply was sent.
    Lost(io::Error),
    /// No message came in time.
    TimedOut,
}

/// The step after an `error`: wait, try again, or end.
pub(super) fn or_wait<'b>(
    error: io::Error,
    wait: Step<'b>,
    end: impl FnOnce(io::Error) -> End,
) -> Step<'b> {
    match error.kind() {
        ErrorKind::WouldBlock => wait,
        ErrorKind::Interrupted => Step::Again,
        _ => Step::Ended(end(error)),
    }
}
