//! The figures of a run: one immutable summary, which [`text`] and [`json`] print.
//!
//! [`text`]: super::text
//! [`json`]: super::json

use std::time::{Duration, Instant, SystemTime};

use crate::address::Address;
use crate::output::Time;
use crate::percent::Percent;
use crate::probe::ledger::Ledger;
use crate::probe::ledger::succession::Figures;
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
    /// The outages and the jitter.
    pub in_order: Figures,
    /// What turns the times of outages into those of the wall clock.
    pub clock: WallClock,
    /// How long the run took.
    pub elapsed: Duration,
    /// How long it took to resolve the target's name; none if it has no name.
    pub resolve: Option<Duration>,
}

/// The wall clock as it is at one moment. All times are told by it as it is then, also those
/// before it was set.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    monotonic: Instant,
    wall: SystemTime,
}

impl WallClock {
    /// The clock as it is now.
    #[must_use]
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// What the clock showed at a time that has passed, to the millisecond.
    #[must_use]
    #[inline(never)]
    pub fn at(&self, time: Instant) -> Time {
        let ago = self.monotonic.saturating_duration_since(time);
        humantime::format_rfc3339_millis(self.wall.checked_sub(ago).unwrap_or(self.wall))
    }
}

/// The percentiles that are printed: in thousandths, and by name.
pub const PERCENTILES: [(u64, &str); 4] =
    [(500, "p50"), (900, "p90"), (990, "p99"), (999, "p99.9")];

/// A shorter delay between a probe's due time and its sending is noise, and not printed.
pub(crate) const NOISE: Duration = Duration::from_millis(1);

/// If a single reply lay here for no longer than this until it was read, that is usual.
const USUAL: Duration = Duration::from_millis(10);

impl Summary<'_> {
    /// The share of the probes that have ended for which nothing came back. None if none was sent,
    /// or none has ended but by this machine's own fault.
    #[must_use]
    pub fn loss(&self) -> Option<Percent> {
        self.share(self.ledger.lost()).filter(|_| self.ledger.sent > 0)
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

    /// Whether replies lay here so long until they were read that other programs, which have no
    /// stamps, would take this machine for the network: on average, or one for very long.
    #[must_use]
    pub fn is_slow_to_read(&self) -> bool {
        let (host, reply) = (&self.ledger.host, &self.ledger.reply);
        host.greatest() > USUAL + reply.greatest() / 10 || host.mean() > NOISE + reply.mean() / 10
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a run says so whose replies took that long, and lay here for that long, in microseconds.
    fn is_slow(replies: &[(u64, u64)]) -> bool {
        let mut ledger = Ledger::default();
        for (reply, host) in replies {
            ledger.reply.add(Duration::from_micros(*reply));
            ledger.host.add(Duration::from_micros(*host));
        }
        let target = &"192.0.2.1:7000".parse().unwrap();
        let (in_order, clock) = (ledger.succession.so_far(), WallClock::now());
        let (expected, elapsed, resolve) = ("ok".parse().unwrap(), Duration::ZERO, None);
        let ledger = &ledger;
        Summary { target, expected, ledger, in_order, clock, elapsed, resolve }.is_slow_to_read()
    }

    #[test]
    fn what_lay_here_is_said_where_it_matters() {
        assert!(!is_slow(&[]));
        assert!(!is_slow(&[(100, 1_000); 9]), "that is usual");
        assert!(is_slow(&[(100, 10_100)]), "a single one that is not");
        assert!(!is_slow(&[(100_000, 11_000)]), "it is little beside the reply");
        assert!(is_slow(&[(100, 1_100); 3]));
        assert!(!is_slow(&[(100, 900); 1000]));
        assert!(!is_slow(&[(20_000, 2_900); 1000]));
        assert!(!is_slow(&[&[(100, 50); 91][..], &[(100, 9_000); 9]].concat()), "a few of many");
    }

    #[test]
    fn a_time_that_has_passed_is_one_of_the_wall_clock() {
        let monotonic = Instant::now() + Duration::from_secs(3600);
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(86_400_250);
        let clock = WallClock { monotonic, wall };
        let before = monotonic - Duration::from_millis(500);
        assert_eq!(clock.at(before).to_string(), "1970-01-01T23:59:59.750Z");
        let future = monotonic + Duration::from_secs(1);
        assert_eq!(clock.at(future).to_string(), "1970-01-02T00:00:00.250Z");
    }
}
