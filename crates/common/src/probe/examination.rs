//! Which probes are examined once they have ended, to find out why they failed, and when: if that is
//! asked for, or a silence over TCP suggests it.
//!
//! A client's loop does the examining: [`Run`](crate::probe::run::Run) says what is to be examined
//! (a [`Subject`]), and takes what was found ([`Findings`](crate::probe::findings::Findings)).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::probe::outcome::expected::Expected;
use crate::probe::outcome::suspicion::Suspicion;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Outcome};

/// In a run, the least time from the beginning of one examination to that of the next. Routers and
/// the target have other things to do, and limit what they say.
const PAUSE: Duration = Duration::from_secs(10);

/// Which probes are traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Those that did not come out as expected.
    Failure,
    /// All.
    Always,
}

impl When {
    /// When to trace, as it is written; none if nobody knows.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"failure" => Some(Self::Failure),
            b"always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// Which probes are examined, and when.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    trace: Option<When>,
    expected: Expected,
    /// Whether it is looked into if the size of segments may be the reason.
    searches: bool,
}

/// A probe that is to be examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which of the run's probes it was, from 1.
    pub number: u64,
    /// Which flow sent it, from 0.
    pub flow: u32,
    /// The address that it went to.
    pub address: SocketAddr,
    /// This machine's end.
    pub local: SocketAddr,
    /// Whether it ended in silence, so that a reply may still come.
    pub is_silent: bool,
    /// Whether it came out as expected.
    pub is_expected: bool,
    /// How long it took to connect, over TCP.
    pub round_trip: Option<Duration>,
    /// Whether its way is traced.
    pub is_traced: bool,
    /// Which size of segments may be the reason, if that is looked into.
    pub suspicion: Option<Suspicion>,
    /// When the examination ends at the latest.
    pub end: Option<Instant>,
}

impl Wanted {
    /// Probes are traced as `trace` says, and examined as a silence suggests. The verdicts that are
    /// `expected` are no failures.
    #[must_use]
    pub fn new(trace: Option<When>, expected: Expected) -> Self {
        Self { trace, expected, searches: true }
    }

    /// The same for the probes of a run, of which nothing is repeated.
    #[must_use]
    pub fn of_run(self) -> Self {
        Self { searches: false, ..self }
    }

    /// Whether a probe with this outcome is examined.
    #[must_use]
    pub fn wants(&self, outcome: &Outcome) -> bool {
        self.traces(outcome) || self.suspects(outcome).is_some()
    }

    /// Whether the way of a probe with this outcome is traced. One that has not reached the network
    /// took no way.
    fn traces(&self, outcome: &Outcome) -> bool {
        let has_way = !matches!(outcome.verdict(), Verdict::Local | Verdict::Unresolved);
        let is_failure = !self.expected.contains(outcome.verdict());
        has_way && self.trace.is_some_and(|when| when == When::Always || is_failure)
    }

    /// Which size of segments is looked into as the reason for this outcome, if any. If nothing
    /// suggests that, only with `--trace`: the message is sent again, to a program that has had it.
    fn suspects(&self, outcome: &Outcome) -> Option<Suspicion> {
        let is_failure = !self.expected.contains(outcome.verdict());
        let suspicion = outcome.suspicion().filter(|_| self.searches && is_failure)?;
        (!suspicion.is_weak || self.trace.is_some()).then_some(suspicion)
    }

    /// What is to be examined of the probe that has `ended`, sent by `flow`; until `end` at the
    /// latest.
    fn subject(&self, ended: &Ended, flow: u32, end: Option<Instant>) -> Option<Subject> {
        let last = &ended.last;
        let (address, local) = last.address.zip(last.local).filter(|_| self.wants(last))?;
        let is_expected = self.expected.contains(last.verdict());
        Some(Subject {
            number: ended.number,
            flow,
            address,
            local,
            is_silent: last.is_silence(),
            is_expected,
            round_trip: last.connect,
            is_traced: self.traces(last),
            suspicion: self.suspects(last),
            end,
        })
    }
}

/// What is examined at the moment: one probe at most.
#[derive(Debug, Default)]
pub struct Examining {
    wanted: Option<Wanted>,
    /// What is to be examined next.
    next: Option<Subject>,
    /// What is being examined, and since when.
    present: Option<(Subject, Instant)>,
    /// When the last examination began.
    begun: Option<Instant>,
}

impl Examining {
    /// Examines as `wanted` says; without one, nothing.
    #[must_use]
    pub fn new(wanted: Option<Wanted>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Whether something is being examined, or is to be.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.next.is_some() || self.present.is_some()
    }

    /// Whether a probe with this outcome, which ends at `now`, is going to be examined.
    #[must_use]
    pub fn would_examine(&self, outcome: &Outcome, now: Instant) -> bool {
        let has_rested = || self.begun.is_none_or(|begun| begun + PAUSE <= now);
        self.wanted.is_some_and(|wanted| wanted.wants(outcome) && !self.is_busy() && has_rested())
    }

    /// Has the probe examined that has `ended` at `now`, if it is to be, until `end` at the latest.
    /// Returns whether it is.
    pub fn add(&mut self, ended: &Ended, flow: u32, now: Instant, end: Option<Instant>) -> bool {
        if !self.would_examine(&ended.last, now) || end.is_some_and(|end| end <= now) {
            return false;
        }
        self.next = self.wanted.and_then(|wanted| wanted.subject(ended, flow, end));
        self.next.is_some()
    }

    /// Begins at `now` with what is to be examined next.
    pub fn begin(&mut self, now: Instant) -> Option<Subject> {
        let subject = self.next.take()?;
        self.begun = Some(now);
        self.present = Some((subject, now));
        Some(subject)
    }

    /// Ends the examination. Returns what was examined, and since when.
    pub fn end(&mut self) -> Option<(Subject, Instant)> {
        self.present.take()
    }
}
