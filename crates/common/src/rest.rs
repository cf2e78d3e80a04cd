//! When to try again what just failed for a reason that will pass.
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
    next: Duration,
}

impl Default for Rest {
    /// Awake.
    fn default() -> Self {
        Self { until: None, next: FIRST }
    }
}

impl Rest {
    /// Begins a rest, twice as long as the last one.
    pub fn begin(&mut self, now: Instant) {
        self.until = Some(now + self.next);
        self.next = (self.next * 2).min(LONGEST);
    }

    /// Ends it early: something was given back that may have been lacking.
    pub fn wake(&mut self) {
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

    /// Whether it is too early to try again.
    #[must_use]
    pub fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_until_it_works() {
        let mut now = Instant::now();
        let mut rest = Rest::default();
        assert!(!rest.lasts(now));
        for ms in [100, 200, 400, 800, 1000, 1000] {
            rest.begin(now);
            now += Duration::from_millis(ms - 1);
            assert!(rest.lasts(now), "{ms}");
            now += Duration::from_millis(1);
            assert!(!rest.lasts(now), "{ms}");
        }
        rest.begin(now);
        rest.wake();
        assert!(!rest.lasts(now));
        rest.succeeded();
        rest.begin(now);
        assert_eq!(rest.until(), Some(now + FIRST));
    }
}
