//! What the kernel's figures say of a connection that stood, and over which nothing came in time:
//! whose silence it was.

use std::borrow::Cow;
use std::time::Duration;

use common::duration;
use common::probe::outcome::cause::Cause;
use common::probe::outcome::suspicion::{Suspicion, Way};
use common::probe::outcome::trouble::Trouble;

use crate::segments::SMALLEST;

/// What the kernel knows of a connection that stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many segments were sent and never acknowledged, not even out of order (RFC 2018).
    pub unacknowledged: u32,
    /// How many bytes of the message a segment has at most.
    pub segment: u32,
    /// How many bytes a segment of the peer's has at most, as this side has announced.
    pub peers_segment: u32,
    /// How many bytes TCP's options take of what is announced.
    pub options: u32,
    /// When something was sent last.
    pub sent_ago: Duration,
    /// How many segments were sent again since the connection stood.
    pub sent_again: u32,
    /// How many bytes were not sent, since the peer has no room for more; none if the kernel does
    /// not say.
    pub held_back: Option<u32>,
    /// How many segments have come although some before them have not; none if the kernel does not
    /// say.
    pub out_of_order: Option<u32>,
}

/// What was sent over the connection.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// How long the message is.
    pub len: usize,
    /// Whether the kernel has taken all of it.
    pub is_all: bool,
}

/// Why nothing came within `limit`.
pub fn explain(limit: Duration, sent: Sent, figures: Option<Figures>) -> Trouble {
    let mut trouble = Trouble::silent(limit);
    if let Some(figures) = figures {
        // The message was sent so late that nothing could come: this machine was held up (Ctrl-Z).
        if figures.sent_again == 0 && figures.sent_ago * LATE < limit {
            return trouble;
        }
        let (cause, what, again) = cause(sent, &figures);
        let limit = duration::words(limit);
        trouble.reason = format!("connected, {what} within {limit}{again}");
        trouble.suspicion = suspicion(cause, sent, &figures);
        trouble.cause = cause;
    }
    trouble
}

/// In which share of its time an exchange has to have sent its message, for the silence to be that of
/// others. It has that long to connect.
const LATE: u32 = 4;

/// The cause of a silence, and what is said of it: what was, and what in spite of.
fn cause(sent: Sent, figures: &Figures) -> (Option<Cause>, Cow<'static, str>, String) {
    // What has come out of order is part of a reply: the program is not silent.
    if figures.out_of_order.is_some_and(|segments| segments > 0) {
        let what = "and then only later parts of a reply came, and not its beginning,";
        return (None, what.into(), String::new());
    }
    if figures.unacknowledged > 0 {
        let (what, again) = unacknowledged(sent, figures);
        return (Some(Cause::Unacknowledged), what.into(), again);
    }
    let what = match (is_all_taken(sent, figures), figures.held_back) {
        (false, _) => {
            "its system took a part of the message, and had no room for more, then nothing"
        }
        (true, Some(_)) if sent.len > 0 => "its system acknowledged the message, then nothing",
        _ => "its system acknowledged what was sent, then nothing",
    };
    (Some(Cause::SilentProgram), what.into(), String::new())
}

/// Which size of segments may be the reason for a silence that has this `cause`: none if they are
/// small.
fn suspicion(cause: Option<Cause>, sent: Sent, figures: &Figures) -> Option<Suspicion> {
    let (way, size, is_weak) = match cause {
        Some(Cause::Unacknowledged) => {
            let len = u32::try_from(sent.len).unwrap_or(u32::MAX);
            (Way::There, figures.segment.min(len), false)
        }
        // The beginning of a reply may have vanished, but only its end suggests that.
        _ => (Way::Back, figures.peers_segment, cause.is_some()),
    };
    let is_possible = size > SMALLEST && (way == Way::There || is_all_taken(sent, figures));
    is_possible.then_some(Suspicion { way, size, options: figures.options, is_weak })
}

/// Whether the target has had room for the whole message, as far as that is known.
fn is_all_taken(sent: Sent, figures: &Figures) -> bool {
    sent.is_all && figures.held_back.is_none_or(|bytes| bytes == 0)
}

/// `and then 2 segments of up to 1448 bytes were not acknowledged`, `, in spite of 4
/// retransmissions`
fn unacknowledged(sent: Sent, figures: &Figures) -> (String, String) {
    let Figures { unacknowledged: segments, segment, sent_again, .. } = *figures;
    let (s, were) = if segments == 1 { ("", "was") } else { ("s", "were") };
    let what = match (segments, sent.len) {
        (1, 0) => "and then the end of this side was not acknowledged".to_owned(),
        (1, len) if len <= segment as usize => {
            "and then the message was not acknowledged".to_owned()
        }
        _ => format!(
            "and then {segments} segment{s} of up to {segment} bytes {were} not acknowledged"
        ),
    };
    let again = match sent_again {
        0 => String::new(),
        1 => ", in spite of a retransmission".to_owned(),
        _ => format!(", in spite of {sent_again} retransmissions"),
    };
    (what, again)
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
