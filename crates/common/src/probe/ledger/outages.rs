//! The outages of a run: streaks of probes that failed, one after another in the order of their
//! numbers.
//!
//! An outage begins when its first probe was sent, and ends when the first one after it was sent
//! that came out as expected: for so long nothing got through. What this machine could not send,
//! by its own fault, says nothing about the network. It neither makes an outage nor ends one.

use std::time::{Duration, Instant};

use super::fate::{Came, Fate};

/// How many probes an outage has at least. A single one that failed is a loss: how long that
/// lasted is not known, and where one in a hundred is lost there would be an outage each second.
const LEAST_PROBES: u64 = 2;

/// How many outages are listed, the newest: a screen or two. They take 5 KiB.
const MOST_LISTED: usize = 64;

/// An outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first of its probes was sent.
    pub begin: Instant,
    /// When the first probe after it was sent, but not before `begin`; none if none has come out as
    /// expected so far.
    pub end: Option<Instant>,
    /// The number of its first probe.
    pub first: u64,
    /// The number of its last probe.
    pub last: u64,
    /// How many of these probes failed.
    pub probes: u64,
    /// When the last of its probes was sent.
    last_sent: Instant,
}

impl Outage {
    /// How long it lasted; if it has not ended, at least.
    #[must_use]
    #[inline(never)]
    pub fn duration(&self) -> Duration {
        self.end.unwrap_or(self.last_sent).saturating_duration_since(self.begin)
    }
}

/// The outages of a run.
#[derive(Clone, Debug, Default)]
pub struct Outages {
    /// How many there were.
    pub count: u64,
    /// The newest of them, in order.
    pub newest: Vec<Outage>,
    /// The longest one, and the first of several.
    pub longest: Option<Outage>,
    /// A streak that goes on, of one probe or more.
    streak: Option<Outage>,
}

impl Outages {
    /// Adds the probe with this number, which is higher than all before.
    pub(super) fn add(&mut self, number: u64, fate: &Fate) {
        match (fate.came, &mut self.streak) {
            (Came::Failed, Some(streak)) => {
                streak.last = number;
                streak.probes += 1;
                // A probe that had to wait for its port was sent after ones with higher numbers.
                streak.begin = streak.begin.min(fate.sent);
                streak.last_sent = streak.last_sent.max(fate.sent);
            }
            (Came::Failed, None) => {
                self.streak = Some(Outage {
                    begin: fate.sent,
                    end: None,
                    first: number,
                    last: number,
                    probes: 1,
                    last_sent: fate.sent,
                });
            }
            (Came::AsExpected, Some(streak)) => {
                streak.end = Some(fate.sent.max(streak.begin));
                self.end();
            }
            (Came::AsExpected, None) | (Came::FailedHere, _) => {}
        }
    }

    /// Ends the streak. It is an outage if it is long enough.
    pub(super) fn end(&mut self) {
        let Some(outage) = self.streak.take() else {
            return;
        };
        if outage.probes < LEAST_PROBES {
            return;
        }
        self.count += 1;
        if self.newest.len() >= MOST_LISTED {
            self.newest.remove(0);
        }
        self.newest.push(outage);
        if self.longest.is_none_or(|longest| longest.duration() < outage.duration()) {
            self.longest = Some(outage);
        }
    }
}
