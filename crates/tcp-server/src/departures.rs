//! The departures: connections whose peer has its reply and only has to close.
//!
//! A peer that is near does so at once. To register its connection, to sleep and to be woken would
//! take more time than to look a little later whether it has closed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::CLOSE_TIME;

/// Connections that are not registered, because the peer is about to close, in the order in which
/// they are due. There are never more than have been answered in [`CLOSE_TIME`].
#[derive(Debug)]
pub struct Departures {
    due: VecDeque<(Instant, usize)>,
    /// Whether the last peer that closed, or was tried, took no longer than [`CLOSE_TIME`].
    are_quick: bool,
}

impl Departures {
    /// None yet, and peers that are expected to be near.
    pub fn new() -> Self {
        Self { due: VecDeque::new(), are_quick: true }
    }

    /// Whether the peer of a connection that was just answered is expected to close soon.
    pub fn are_quick(&self) -> bool {
        self.are_quick
    }

    /// Adds the connection with `key`, which was answered at `now`.
    pub fn push(&mut self, key: usize, now: Instant) {
        self.due.push_back((now + CLOSE_TIME, key));
    }

    /// When the first one is due.
    pub fn first_due(&self) -> Option<Instant> {
        self.due.front().map(|&(due, _)| due)
    }

    /// Takes one that is due at `now`: its peer should have closed.
    pub fn take_due(&mut self, now: Instant) -> Option<usize> {
        self.first_due().filter(|&due| due <= now)?;
        self.take()
    }

    /// Takes the first one, due or not.
    pub fn take(&mut self) -> Option<usize> {
        self.due.pop_front().map(|(_, key)| key)
    }

    /// Notes that a peer closed `after` its message; `None` if it was tried, and had not closed.
    pub fn note(&mut self, after: Option<Duration>) {
        self.are_quick = after.is_some_and(|after| after <= CLOSE_TIME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_after_its_time_and_the_last_peer_says_how_quick_they_are() {
        let now = Instant::now();
        let mut departures = Departures::new();
        departures.push(7, now);
        departures.push(8, now + Duration::from_millis(1));
        assert_eq!(departures.take_due(now), None);
        assert_eq!(departures.first_due(), Some(now + CLOSE_TIME));
        assert_eq!(departures.take_due(now + CLOSE_TIME), Some(7));
        assert_eq!(departures.take_due(now + CLOSE_TIME), None);
        assert_eq!(departures.take(), Some(8));
        assert_eq!(departures.take(), None);
        assert!(departures.are_quick());
        for (after, are_quick) in
            [(None, false), (Some(CLOSE_TIME), true), (Some(2 * CLOSE_TIME), false)]
        {
            departures.note(after);
            assert_eq!(departures.are_quick(), are_quick);
        }
    }
}
