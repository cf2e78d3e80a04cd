//! The departures: connections whose peer has its reply and only has to close.
//!
//! A peer that is near does so at once, and nobody waits for what the server does then. To register
//! its connection, to sleep and to be woken would take more time than to look later whether
//! it has closed: when the loop is awake anyway, or after a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{CLOSE_TIME, LATEST_LOOK};

/// Connections that are not registered, because the peer is about to close, and when each was
/// answered. While the loop is awake there are never more than were answered in [`CLOSE_TIME`].
#[derive(Debug)]
pub struct Departures {
    answered: VecDeque<(Instant, usize)>,
    /// How long they may wait until the loop wakes up for them.
    latest_look: Duration,
    /// Whether the last peer that closed, or was tried, took no longer than [`CLOSE_TIME`].
    are_quick: bool,
}

impl Departures {
    /// None yet, and peers that are expected to be near. Half of `linger` is left for those that
    /// still send.
    pub fn new(linger: Duration) -> Self {
        let latest_look = LATEST_LOOK.min(linger / 2);
        Self { answered: VecDeque::new(), latest_look, are_quick: true }
    }

    /// Whether the peer of a connection that was just answered is expected to close soon.
    pub fn are_quick(&self) -> bool {
        self.are_quick
    }

    /// Adds the connection with `key`, which was answered at `now`.
    pub fn push(&mut self, key: usize, now: Instant) {
        self.answered.push_back((now, key));
    }

    /// When the loop has to wake up for the first one.
    pub fn look_at(&self) -> Option<Instant> {
        self.answered.front().map(|&(answered, _)| answered + self.latest_look)
    }

    /// Takes one whose peer should have closed by `now`.
    pub fn take_due(&mut self, now: Instant) -> Option<usize> {
        let &(answered, _) = self.answered.front()?;
        let wait = CLOSE_TIME.min(self.latest_look);
        (now.saturating_duration_since(answered) >= wait).then(|| self.take())?
    }

    /// Takes the first one, due or not.
    pub fn take(&mut self) -> Option<usize> {
        self.answered.pop_front().map(|(_, key)| key)
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
    fn each_is_tried_after_its_time_and_the_loop_wakes_up_for_it_later() {
        let now = Instant::now();
        let mut departures = Departures::new(Duration::from_secs(2));
        departures.push(7, now);
        departures.push(8, now + Duration::from_millis(1));
        assert_eq!(departures.take_due(now), None);
        assert_eq!(departures.look_at(), Some(now + LATEST_LOOK));
        assert_eq!(departures.take_due(now + CLOSE_TIME), Some(7));
        assert_eq!(departures.take_due(now + CLOSE_TIME), None);
        assert_eq!(departures.take(), Some(8));
        assert_eq!(departures.take(), None);
    }

    #[test]
    fn half_of_the_linger_time_is_left_for_a_peer_that_still_sends() {
        let now = Instant::now();
        for (linger_ms, latest_ms) in [(2000, 1000), (1000, 500), (4, 2), (0, 0)] {
            let mut departures = Departures::new(Duration::from_millis(linger_ms));
            departures.push(7, now);
            let latest = now + Duration::from_millis(latest_ms);
            assert_eq!(departures.look_at(), Some(latest), "{linger_ms}");
            assert_eq!(departures.take_due(latest), Some(7), "{linger_ms}");
        }
    }

    #[test]
    fn the_last_peer_says_how_quick_they_are() {
        let mut departures = Departures::new(Duration::from_secs(2));
        assert!(departures.are_quick());
        for (after, are_quick) in
            [(None, false), (Some(CLOSE_TIME), true), (Some(2 * CLOSE_TIME), false)]
        {
            departures.note(after);
            assert_eq!(departures.are_quick(), are_quick);
        }
    }
}
