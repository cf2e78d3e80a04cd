//! The figures of a run: one immutable summary, which [`text`] and [`json`] print.
//!
//! [`text`]: super::text
//! [`json`]: super::json

use std::time::{Duration, Instant, SystemTime};

use crate::address::Address;
use crate::percent::Percent;
use crate::probe::ledger::Ledger;
use crate::probe::ledger::succession::Figures;
use crate::probe::outcome::expected::Expected;

/// The summary of a run.
#[derive(Debug)]
pub struct Summary<'a> {
    /// What was probed, and by what.
    pub probed: Probed<'a>,
    /// The verdicts that count as success.
    pub expected: Expected,
    /// What became of the probes.
    pub ledger: &'a Ledger,
    /// The outages and the jitter.
    pub in_order: Figures,
    /// How long it took to resolve the target's name; none if it has no name.
    pub resolve: Option<Duration>,
    /// When it was, and for how long.
    pub span: Span,
    /// Which period of the run it is of; none if it is of all of it.
    pub period: Option<u64>,
}

/// What is probed, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Probed<'a> {
    /// The client.
    pub program: &'static str,
    /// What it was asked to probe.
    pub target: &'a Address,
}

impl Probed<'_> {
    /// What the client speaks: `tcp` or `udp`.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        self.program.split('-').next().unwrap_or_default()
    }
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

/// The wall clock's time at `at`, by that clock as it is now.
#[inline(never)]
pub(crate) fn wall_clock(at: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(at.elapsed()).unwrap_or(now)
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
        let (expected, in_order) = ("ok".parse().unwrap(), ledger.succession.so_far());
        let (begin, ledger) = (SystemTime::now(), &ledger);
        let span = Span { begin, end: begin, elapsed: Duration::ZERO };
        let (resolve, period) = (None, None);
        let probed = Probed { program: "udp-client", target };
        Summary { probed, expected, ledger, in_order, resolve, span, period }.is_slow_to_read()
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
}
