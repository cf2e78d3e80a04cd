//! When to try again what just failed for a reason that will pass, and how
//! often to speak of it.
//!
//! When descriptors or memory run out, to try again at once would only burn
//! the processor; and with edge-triggered readiness no event may ever come for
//! what is queued already. So a socket rests, and is tried again by the clock.

use std::time::{Duration, Instant};

/// The first rest: short enough that nobody notices it.
const FIRST: Duration = Duration::from_millis(100);

/// Rests double up to this one: long enough to cost nothing.
const LONGEST: Duration = Duration::from_secs(1);

/// Whether a socket rests, and how long the next rest is.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    until: Option<Instant>,
    next_length: Duration,
}

impl Default for Rest {
    /// Awake.
    fn default() -> Self {
        Self { until: None, next_length: FIRST }
    }
}

impl Rest {
    /// Begins a rest, twice as long as the last one.
    pub fn begin(&mut self, now: Instant) {
        self.until = Some(now + self.next_length);
        self.next_length = (self.next_length * 2).min(LONGEST);
    }

    /// Ends it early: something was given back that may have been lacking.
    pub fn end_early(&mut self) {
        self.until = None;
    }

    /// It worked: the next rest is a short one again.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// When the rest ends, where there is one.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether it may be tried now. A rest whose time has come ends by this.
    pub fn is_over(&mut self, now: Instant) -> bool {
        let is_over = self.until.is_none_or(|until| until <= now);
        if is_over {
            self.until = None;
        }
        is_over
    }
}

/// A warning that is met again and again is told of once in this time.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Lets one warning through, and then none for a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throttle {
    last: Option<Instant>,
}

impl Throttle {
    /// Whether a warning may be printed now; if so, it counts as printed.
    pub fn may_pass(&mut self, now: Instant) -> bool {
        let may_pass = self.last.is_none_or(|last| now.duration_since(last) >= WARNING_INTERVAL);
        if may_pass {
            self.last = Some(now);
        }
        may_pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_passes_once_in_a_while() {
        let now = Instant::now();
        let mut throttle = Throttle::default();
        assert!(throttle.may_pass(now));
        assert!(!throttle.may_pass(now + WARNING_INTERVAL - Duration::from_millis(1)));
        assert!(throttle.may_pass(now + WARNING_INTERVAL));
    }

    #[test]
    fn rests_double_until_it_works() {
        let mut now = Instant::now();
        let mut rest = Rest::default();
        assert!(rest.is_over(now));
        for ms in [100, 200, 400, 800, 1000, 1000] {
            rest.begin(now);
            now += Duration::from_millis(ms - 1);
            assert!(!rest.is_over(now), "{ms}");
            now += Duration::from_millis(1);
            assert!(rest.is_over(now), "{ms}");
        }
        rest.begin(now);
        rest.end_early();
        assert!(rest.is_over(now));
        rest.succeeded();
        rest.begin(now);
        assert_eq!(rest.until(), Some(now + FIRST));
    }
}
