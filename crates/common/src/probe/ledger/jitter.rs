//! Jitter: how much the reply times of two probes differ that were sent one after the other.
//!
//! The name is that of RFC 3550, section 6.4.1, which smooths such differences of one-way transit
//! times by 1/16. These are differences of reply times, there and back, and all have equal
//! weight: so the figure holds for the whole run, and not for its last seconds.

use std::time::Duration;

/// The mean difference of reply times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    /// The last probe that had a reply: its number, and the time of the reply.
    last: Option<(u64, Duration)>,
    /// How many differences there are, and their sum in nanoseconds.
    samples: u64,
    sum: u128,
}

impl Jitter {
    /// Adds the probe with this number, which is higher than all before.
    pub(super) fn add(&mut self, number: u64, reply: Option<Duration>) {
        let Some(reply) = reply else {
            return;
        };
        if let Some((_, time)) = self.last.filter(|(before, _)| before + 1 == number) {
            self.samples += 1;
            self.sum += reply.abs_diff(time).as_nanos();
        }
        self.last = Some((number, reply));
    }

    /// The mean of the differences. None if no two neighbours have been answered.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum.checked_div(u128::from(self.samples))?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }
}
