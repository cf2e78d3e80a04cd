//! When something ends at a port, by the port's key.
//!
//! Most deadlines move to a later time before they come: the next probe leaves from the port
//! when the last one was answered. That costs nothing here. A deadline is looked at when its
//! first time comes, and is then set again.

use std::collections::BTreeSet;
use std::time::Instant;

/// One deadline for each key that has one.
#[derive(Debug, Default)]
pub struct Deadlines {
    by_time: BTreeSet<(Instant, usize)>,
    by_key: Vec<Option<Instant>>,
}

impl Deadlines {
    /// Nothing ends before this time.
    pub fn first(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Notes that something ends at `at`, if nothing ends earlier at the same key.
    pub fn set(&mut self, key: usize, at: Instant) {
        if self.by_key.len() <= key {
            self.by_key.resize(key + 1, None);
        }
        if self.by_key[key].is_none_or(|earlier| at < earlier) {
            self.remove(key);
            self.by_key[key] = Some(at);
            self.by_time.insert((at, key));
        }
    }

    /// Moves a deadline from `before` to `at`, unless it is an earlier one.
    pub fn put_off(&mut self, key: usize, before: Instant, at: Instant) {
        if self.by_key.get(key).copied().flatten() == Some(before) {
            self.remove(key);
            self.set(key, at);
        }
    }

    /// Takes the next deadline that comes by `now`, and returns its key.
    pub fn take(&mut self, now: Instant) -> Option<usize> {
        let (_, key) = self.by_time.first().copied().filter(|(at, _)| *at <= now)?;
        self.remove(key);
        Some(key)
    }

    /// Forgets the deadline of a key.
    pub fn remove(&mut self, key: usize) {
        if let Some(at) = self.by_key.get_mut(key).and_then(Option::take) {
            self.by_time.remove(&(at, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_key_has_its_earliest_deadline() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        for (key, ms) in [(3, 50), (1, 40), (3, 60), (1, 30), (2, 20)] {
            deadlines.set(key, at(ms));
        }
        deadlines.put_off(2, at(20), at(45));
        deadlines.put_off(3, at(60), at(70));
        deadlines.remove(7);
        assert_eq!(deadlines.first(), Some(at(30)));
        let mut take = |ms| deadlines.take(at(ms));
        assert_eq!([take(29), take(50), take(50), take(50)], [None, Some(1), Some(2), Some(3)]);
        assert_eq!((deadlines.take(at(90)), deadlines.first()), (None, None));
    }
}
