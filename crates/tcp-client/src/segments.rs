//! The search for the largest segment that passes on a way: which size is tried next, and what the
//! tries mean. A size is the bytes of the message in a segment.
//!
//! ```text
//! the smallest passes ──▶ the one that vanished vanishes again ──▶ halve what lies between
//! ```
//!
//! If the smallest one vanishes, or the large one passes after all, then it is not the size.

use std::fmt;

use common::probe::outcome::suspicion::Way;

/// The smallest size that is tried: with timestamps, a segment of the size that every host takes
/// (RFC 9293, section 3.7.1: 536), and a packet that every link takes over IPv4 and IPv6.
pub const SMALLEST: u32 = 524;

/// The largest size that is tried. Linux takes no larger one for a socket than 32,767, options
/// included: tcp(7), `TCP_MAXSEG`.
pub const LARGEST: u32 = 32_767 - 40;

/// The search on one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// The largest size that has passed.
    passed: Option<u32>,
    /// The smallest size that has vanished.
    vanished: u32,
    /// Whether the size that vanished at first did so again.
    is_confirmed: bool,
    /// Whether nothing more is tried.
    is_over: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The largest size that has passed.
    pub passed: u32,
    /// The smallest size that has vanished: one more, unless there was no time to find out.
    pub vanished: u32,
}

impl Search {
    /// The search on a way on which a segment of `size` bytes has perhaps vanished. None if that is
    /// no large one.
    pub fn new(size: u32) -> Option<Self> {
        let vanished = size.min(LARGEST);
        let search = Self { passed: None, vanished, is_confirmed: false, is_over: false };
        (vanished > SMALLEST).then_some(search)
    }

    /// The size that is tried next, if one is.
    pub fn next(&self) -> Option<u32> {
        let next = match self.passed {
            _ if self.is_over => None,
            None => Some(SMALLEST),
            Some(_) if !self.is_confirmed => Some(self.vanished),
            Some(passed) => Some(passed.midpoint(self.vanished)),
        };
        // Nothing lies between any more; or the large one has passed after all.
        next.filter(|size| Some(*size) != self.passed)
    }

    /// Whether the size that is tried next is the one that vanished at first: all hangs on that.
    pub fn is_confirming(&self) -> bool {
        self.passed.is_some() && !self.is_confirmed
    }

    /// Notes that the size that was to be tried next has passed, or has vanished.
    pub fn note(&mut self, has_passed: bool) {
        let Some(size) = self.next() else {
            return;
        };
        // If not even the smallest passes, it is not the size.
        self.is_over = self.passed.is_none() && !has_passed;
        self.is_confirmed = self.passed.is_some();
        if has_passed {
            self.passed = Some(size);
        } else {
            self.vanished = size;
        }
    }

    /// Tries no more: a try has told nothing, or there is no time left.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// What was found so far, if anything was.
    pub fn found(&self) -> Option<Found> {
        let passed = self.passed.filter(|passed| self.is_confirmed && *passed < self.vanished)?;
        Some(Found { passed, vanished: self.vanished })
    }
}

impl Found {
    /// `segments of 1229 bytes vanish on the way there, those of 1228 pass`
    pub fn words(self, way: Way) -> impl fmt::Display {
        let Self { passed, vanished } = self;
        match way {
            Way::There => {
                format!(
                    "segments of {vanished} bytes vanish on the way there, those of {passed} pass"
                )
            }
            Way::Back => format!(
                "the reply vanishes on its way back in segments of up to {vanished} bytes, and comes \
                 in those of up to {passed}"
            ),
        }
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
