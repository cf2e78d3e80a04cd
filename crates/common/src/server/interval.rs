//! What is due again and again: `--stats`.

use std::time::{Duration, Instant};

/// Due once in every so long, counted from the start: what comes late does not
/// move what comes after.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    next: Instant,
    length: Duration,
}

impl Interval {
    /// Due for the first time `length` from `now`.
    #[must_use]
    pub fn new(length: Duration, now: Instant) -> Self {
        Self { next: now + length, length }
    }

    /// When it is due next.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Whether it is due; if so, it is due again later. What was missed
    /// meanwhile (a Ctrl-Z) is not made up for.
    pub fn is_due(&mut self, now: Instant) -> bool {
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
    fn it_keeps_to_its_times() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut interval = Interval::new(Duration::from_millis(100), start);
        assert!(!interval.is_due(at(99)));
        assert!(interval.is_due(at(130)));
        assert_eq!(interval.next(), at(200));
        assert!(interval.is_due(at(575)));
        assert_eq!(interval.next(), at(600));
        assert!(interval.is_due(at(600)));
        assert_eq!(interval.next(), at(700));
    }
}
