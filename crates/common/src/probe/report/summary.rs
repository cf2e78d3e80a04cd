//! The figures of a run: one immutable summary, which [`text`] and [`json`] print.
//!
//! [`text`]: super::text
//! [`json`]: super::json

use std::time::{Duration, Instant, SystemTime};

use crate::address::Address;
use crate::percent::Percent;
use crate::probe::ledger::Ledger;
use crate::probe::outcome::expected::Expected;

/// The summary of a run.
#[derive(Debug)]
pub struct Summary<'a> {
    /// What was probed.
    pub target: &'a Address,
    /// The verdicts that count as success.
    pub expected: Expected,
    /// What became of the probes.
    pub ledger: &'a Ledger,
    /// How long it took to resolve the target's name; none if it has no name.
    pub resolve: Option<Duration>,
    /// When it was, and for how long.
    pub span: Span,
    /// Which period of the run it is of; none if it is of all of it.
    pub period: Option<u64>,
}

/// When a run was, or a part of it, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When it began, by the wall clock.
    pub begin: SystemTime,
    /// When it ended, by the wall clock.
    pub end: SystemTime,
    /// How long it took, by a clock that is never set.
    pub elapsed: Duration,
}

/// The wall clock's time at `at`, which was just now.
pub(crate) fn wall_clock(at: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(at.elapsed()).unwrap_or(now)
}

/// The percentiles that are printed: in thousandths, and by name.
pub const PERCENTILES: [(u64, &str); 4] =
    [(500, "p50"), (900, "p90"), (990, "p99"), (999, "p99.9")];

/// A shorter delay between a probe's due time and its sending is noise, and not printed.
pub(crate) const NOISE: Duration = Duration::from_millis(1);

impl Summary<'_> {
    /// The share of the probes that have ended for which nothing came back. None if none was sent,
    /// or none has ended but by this machine's own fault.
    #[must_use]
    pub fn loss(&self) -> Option<Percent> {
        self.share(self.ledger.lost()).filter(|_| self.ledger.sent + self.ledger.carried > 0)
    }

    /// The share of the probes that have ended that did not come out as expected, as for
    /// [`Summary::loss`].
    #[must_use]
    pub fn failures(&self) -> Option<Percent> {
        self.share(self.ledger.failed)
    }

    fn share(&self, part: u64) -> Option<Percent> {
        let whole = self.ledger.ended_on_the_way();
        (whole > 0).then(|| Percent::of(part, whole))
    }

    /// Whether probes were sent so late after their due times that the figures show it.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        let (sent, due) = (self.ledger.from_sending(), &self.ledger.from_due);
        let is_longer = |due: Duration, sent: Duration| due > sent + NOISE + sent / 10;
        let at = |thousandths| match (due.percentile(thousandths), sent.percentile(thousandths)) {
            (Some(due), Some(sent)) => is_longer(due, sent),
            _ => false,
        };
        // The times of probes that were sent late are nowhere else.
        self.ledger.sent_late > 0
            || is_longer(due.greatest(), sent.greatest())
            || PERCENTILES.iter().any(|(p, _)| at(*p))
    }
}
