//! An interval that comes round again and again: `--stats`.

use std::time::{Duration, Instant};

/// Due once in each `length`, counted from the start. Being late once does not delay
/// the times after it.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    next: Instant,
    length: Duration,
}

impl Interval {
    /// An interval that is due for the first time `length` after `now`.
    #[must_use]
    pub fn new(length: Duration, now: Instant) -> Self {
        Self { next: now + length, length }
    }

    /// When the interval is due next.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Whether the interval is due at `now`; if so, moves on to its next time after
    /// `now`. Times that were missed (because of a Ctrl-Z) are skipped.
    pub fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.next <= now;
        if is_due {
            let missed = now.duration_since(self.next).as_nanos() / self.length.as_nanos().max(1);
            let missed = u32::try_from(missed).unwrap_or(u32::MAX);
            self.next += self.length.saturating_mul(missed.saturating_add(1));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_does_not_add_up() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut interval = Interval::new(Duration::from_millis(100), start);
        assert!(!interval.take_due(at(99)));
        assert!(interval.take_due(at(130)));
        assert_eq!(interval.next(), at(200));
        assert!(interval.take_due(at(575)));
        assert_eq!(interval.next(), at(600));
        assert!(interval.take_due(at(600)));
        assert_eq!(interval.next(), at(700));
    }
}
