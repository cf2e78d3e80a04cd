//! When a server stops by itself, and whether that is a success: `--count` and
//! `--idle-exit`.
//!
//! Scripts use them to assert that traffic arrived, or that it did not. All event
//! loops share one goal, which reads no clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::duration::words;
use crate::exit::Failure;

/// The goal of a run, and when somebody last came.
#[derive(Debug)]
pub struct Goal {
    count: Option<u64>,
    idle_exit: Option<Duration>,
    begun: Instant,
    /// Nanoseconds from `begun` to the last arrival.
    last_arrival: AtomicU64,
    /// Whether the run ended because nobody came.
    was_idle: AtomicBool,
}

impl Goal {
    /// A run that ends after `count` exchanges, or once nobody has come for
    /// `idle_exit`.
    #[must_use]
    pub fn new(count: Option<u64>, idle_exit: Option<Duration>, now: Instant) -> Self {
        Self {
            count,
            idle_exit,
            begun: now,
            last_arrival: AtomicU64::new(0),
            was_idle: AtomicBool::new(false),
        }
    }

    /// Notes that somebody came at `now`.
    pub fn note_arrival(&self, now: Instant) {
        if self.idle_exit.is_some() {
            let since = now.saturating_duration_since(self.begun).as_nanos();
            let since = u64::try_from(since).unwrap_or(u64::MAX);
            self.last_arrival.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// Whether this many `exchanges` are enough for `--count`.
    #[must_use]
    pub fn is_reached(&self, exchanges: u64) -> bool {
        self.count.is_some_and(|count| exchanges >= count)
    }

    /// When the run ends if nobody comes before.
    #[must_use]
    pub fn idle_at(&self) -> Option<Instant> {
        let since = Duration::from_nanos(self.last_arrival.load(Ordering::Relaxed));
        Some(self.begun + since + self.idle_exit?)
    }

    /// Whether the run is over at `now`, after this many `exchanges`: there were enough, or
    /// nobody came for too long. The latter is remembered for [`Goal::check`].
    pub fn is_over(&self, exchanges: u64, now: Instant) -> bool {
        let is_idle = self.idle_at().is_some_and(|at| at <= now);
        if is_idle {
            self.was_idle.store(true, Ordering::Relaxed);
        }
        is_idle || self.is_reached(exchanges)
    }

    /// Whether the run was a success, with this many `exchanges` and `arrivals`.
    ///
    /// # Errors
    /// The run ended because nobody came any more, and there were too few
    /// exchanges or, without a count, nobody had come at all.
    pub fn check(&self, exchanges: u64, arrivals: u64) -> Result<(), Failure> {
        let Some(idle) = self.idle_exit.filter(|_| self.was_idle.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let idle = words(idle);
        match self.count {
            Some(count) if exchanges < count => {
                let s = if exchanges == 1 { "" } else { "s" };
                let reason = format!("{exchanges} exchange{s}, and then nobody for {idle}");
                Err(Failure::outcome(format_args!("--count {count}"), reason))
            }
            None if arrivals == 0 => {
                Err(Failure::outcome("--idle-exit", format_args!("nobody came in {idle}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a run was a success that ended because standard output lost its reader, with
    /// this many `exchanges` and `arrivals`.
    ///
    /// # Errors
    /// It was no success yet. With `--idle-exit` it was no failure either: whether nobody
    /// would have come is not known, so the status is not the one that says so.
    pub fn check_unread(&self, exchanges: u64, arrivals: u64) -> Result<(), Failure> {
        const UNREAD: &str = "standard output lost its reader";
        let (what, so_far) = match (self.count, self.idle_exit) {
            (Some(count), _) if exchanges < count => {
                let s = if exchanges == 1 { "" } else { "s" };
                (format!("--count {count}"), format!("{exchanges} exchange{s}, and then {UNREAD}"))
            }
            (None, Some(idle)) if arrivals == 0 => {
                (format!("--idle-exit {}", words(idle)), format!("nobody had come when {UNREAD}"))
            }
            _ => return Ok(()),
        };
        let failure = if self.idle_exit.is_some() { Failure::local } else { Failure::outcome };
        Err(failure(what, so_far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_count_is_reached() {
        let now = Instant::now();
        let goal = Goal::new(Some(3), None, now);
        assert_eq!([0, 2, 3, 9].map(|n| goal.is_reached(n)), [false, false, true, true]);
        assert!(!goal.is_over(2, now + 100 * SECOND));
        assert!(goal.is_over(3, now));
        assert_eq!(goal.check(3, 3), Ok(()));
        assert_eq!(goal.idle_at(), None);
        assert!(!Goal::new(None, None, now).is_reached(u64::MAX));
    }

    #[test]
    fn nobody_comes() {
        let now = Instant::now();
        let goal = Goal::new(None, Some(2 * SECOND), now);
        assert!(!goal.is_over(0, now + SECOND));
        assert!(goal.is_over(0, now + 2 * SECOND));
        let failure = goal.check(0, 0).unwrap_err();
        assert_eq!(failure.to_string(), "--idle-exit: nobody came in 2s");
        assert_eq!(goal.check(0, 1), Ok(()), "somebody came, and said nothing");
    }

    #[test]
    fn each_arrival_postpones_the_end() {
        let now = Instant::now();
        let goal = Goal::new(Some(5), Some(2 * SECOND), now);
        goal.note_arrival(now + SECOND);
        // Another loop's clock may be a little behind.
        goal.note_arrival(now);
        assert_eq!(goal.idle_at(), Some(now + 3 * SECOND));
        assert!(!goal.is_over(1, now + 2 * SECOND));
        assert_eq!(goal.check(1, 1), Ok(()), "a signal ended the run");
        assert!(goal.is_over(1, now + 3 * SECOND));
        let failure = goal.check(1, 1).unwrap_err();
        assert_eq!(failure.to_string(), "--count 5: 1 exchange, and then nobody for 2s");
    }
}
