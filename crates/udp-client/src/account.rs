//! What was sent from a source port in a run, and what came back: so that a witness can be asked
//! in which direction the rest was lost.

use std::time::Instant;

/// The probes that were sent from one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// When the first one was sent.
    pub first: Option<Instant>,
    pub sent: u64,
    /// How many have had a reply from the target, late or not.
    pub answered: u64,
    /// How many have ended in silence, and had none later.
    pub lost: u64,
}

impl Account {
    /// Enters a probe that was sent at `now`.
    pub fn sent(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.sent += 1;
    }

    /// Enters the reply to the probe that was sent last; a late one if it had ended in silence.
    pub fn answered(&mut self, is_late: bool) {
        self.answered += 1;
        self.lost -= u64::from(is_late && self.lost > 0);
    }

    /// Takes back a loss: another address has answered that probe. What became of it on the way
    /// from this port is not known, then.
    pub fn settled(&mut self) {
        self.lost = self.lost.saturating_sub(1);
    }

    /// Whether each probe was answered or lost. Of those that are under way, or had an ICMP error
    /// for an answer, nobody here knows how far they came.
    pub fn is_clear(&self) -> bool {
        self.first.is_some() && self.sent == self.answered + self.lost
    }
}
