//! `--wait`: tries again and again, until an exchange has the expected outcome.
//!
//! Each attempt has its whole time, and the next one does not wait for it. So a service that
//! comes up is found at the next attempt, however long `--timeout` is.

use std::time::{Duration, Instant};

use log::info;
use nix::sys::signal::Signal;

use crate::exit::Failure;
use crate::probe::destination::Destination;
use crate::probe::outcome::Ended;
use crate::probe::outcome::cause::Cause;
use crate::probe::persistence::Persistence;
use crate::probe::report::Reporter;
use crate::probe::resolving::Resolving;
use crate::probe::run::Run;
use crate::probe::target::{Resolved, Target};
use crate::probe::trace::LONGEST;

/// The attempts, until one has the expected outcome.
#[derive(Debug)]
pub struct Waiting<'a> {
    target: &'a Target,
    reporter: &'a Reporter,
    run: Run,
    /// The name that is being resolved; none if it is not, or if there is no name.
    resolving: Option<Resolving>,
    start: Instant,
    interval: Duration,
    /// When to give up, if ever.
    end: Option<Instant>,
    /// What came of the last attempt that has ended.
    last: Option<Ended>,
    /// What was last said of an attempt.
    said: String,
    /// Whether an attempt is examined, or was.
    is_examined: bool,
}

/// The last share of the deadline in which an attempt is examined: most of the time is for finding
/// out whether it succeeds.
const EXAMINED: u32 = 4;

/// What is found is known this much before the end, so that it is part of the report.
const SPARE: Duration = Duration::from_millis(20);

impl<'a> Waiting<'a> {
    /// Attempts to reach `target`, as `persistence` asks, until `end` at the latest.
    #[must_use]
    pub fn new(
        target: &'a Target,
        persistence: Persistence,
        end: Option<Instant>,
        reporter: &'a Reporter,
    ) -> Self {
        let start = Instant::now();
        let nowhere = Destination::new(Vec::new(), target.timeout());
        Self {
            target,
            reporter,
            run: Run::again(nowhere, start, end, reporter.wanted()),
            resolving: None,
            start,
            interval: persistence.interval(),
            end,
            last: None,
            said: String::new(),
            is_examined: false,
        }
    }

    /// Makes attempts, one each interval. `drive` sends the probes of a run until it is over.
    ///
    /// # Errors
    /// No outcome was the expected one before the deadline, or a signal came.
    pub fn run(
        mut self,
        mut drive: impl FnMut(&mut Run) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let signal = match self.attempts(&mut drive) {
            Ok(Some(expected)) => return self.reporter.exchange(&expected),
            Ok(None) => self.run.signal(),
            Err(failure) if failure.signal().is_none() => return Err(failure),
            Err(failure) => failure.signal(),
        };
        self.give_up(signal)
    }

    /// Makes attempts, one each interval, until the end, or until a signal comes. Returns the
    /// expected outcome as soon as there is one.
    fn attempts(
        &mut self,
        drive: &mut impl FnMut(&mut Run) -> Result<(), Failure>,
    ) -> Result<Option<Ended>, Failure> {
        let mut due = self.start;
        while self.run.signal().is_none() && self.end.is_none_or(|end| due < end) {
            let next = due + self.interval;
            if let Some(nowhere) = self.resolve(next)? {
                if self.note(&nowhere) {
                    return Ok(Some(nowhere));
                }
            }
            let until = self.end.map_or(next, |end| end.min(next));
            self.examine_last();
            self.run.attempt(due.max(Instant::now()), until);
            if let Some(expected) = self.drive_until(until, drive)? {
                return Ok(Some(expected));
            }
            due = next.max(Instant::now());
        }
        Ok(None)
    }

    /// Has the last attempt examined, if it is time for that: the attempts go on beside it. What is
    /// found is known shortly before the end.
    fn examine_last(&mut self) {
        let (Some(end), Some(last)) = (self.end, &self.last) else {
            return;
        };
        let (now, longest) = (Instant::now(), (end - self.start) / EXAMINED);
        if !self.is_examined && end <= now + longest.min(LONGEST) {
            self.is_examined = self.run.examine(last, now, end.checked_sub(SPARE));
        }
    }

    /// Drives the run until `until`, or until a signal comes. Returns the expected outcome as
    /// soon as there is one.
    fn drive_until(
        &mut self,
        until: Instant,
        drive: &mut impl FnMut(&mut Run) -> Result<(), Failure>,
    ) -> Result<Option<Ended>, Failure> {
        loop {
            drive(&mut self.run)?;
            while let Some(ended) = self.run.take_ended() {
                if self.note(&ended) {
                    return Ok(Some(ended));
                }
            }
            if self.run.signal().is_some() || until <= Instant::now() {
                return Ok(None);
            }
        }
    }

    /// Resolves the target anew, for its addresses may change. The first attempt waits for its
    /// addresses until `until`; meanwhile the later ones go to those that are known. Returns
    /// the outcome if there are none.
    fn resolve(&mut self, until: Instant) -> Result<Option<Ended>, Failure> {
        let mut resolving = match self.resolving.take() {
            Some(resolving) => resolving,
            None => Resolving::start(self.target, self.end)?,
        };
        let is_nowhere = self.run.destination().addresses().is_empty();
        let until = if is_nowhere { until } else { Instant::now() };
        match resolving.resolved(until)? {
            Some(Resolved::Destination(destination)) => self.run.go_to(destination),
            Some(Resolved::Nowhere(outcome)) => {
                self.run.go_to(Destination::new(Vec::new(), self.target.timeout()));
                return Ok(Some(outcome.into()));
            }
            None => self.resolving = Some(resolving),
        }
        Ok(None)
    }

    /// Notes what came of an attempt, and says so if it is news. Returns whether it is the
    /// expected outcome. If only the deadline has ended the attempt, it proves nothing, and
    /// says less than an attempt before.
    fn note(&mut self, ended: &Ended) -> bool {
        if ended.last.is_cut_short(self.end, Instant::now()) {
            self.last.get_or_insert_with(|| ended.clone());
            return false;
        }
        let is_expected = self.reporter.is_expected(&ended.last);
        let words = self.reporter.words(ended);
        // How many segments were sent how often differs each time, and is no news.
        let news = match ended.last.cause() {
            Some(cause @ Cause::Unacknowledged) => cause.to_string(),
            _ => words.clone(),
        };
        if !is_expected && news != self.said {
            info!("{words}; trying again");
            self.said = news;
        }
        self.last = Some(ended.clone());
        is_expected
    }

    /// Reports the last attempt, because none had the expected outcome before the end, or before
    /// the `signal`.
    fn give_up(mut self, signal: Option<Signal>) -> Result<(), Failure> {
        let findings = self.run.take_findings();
        let Self { reporter, last, .. } = self;
        let last = last.map(|last| last.examined(findings));
        let elapsed = self.start.elapsed();
        if let Some(signal) = signal {
            return Err(reporter.interrupted(last.as_ref(), elapsed).ended_by(signal));
        }
        let ended = last.unwrap_or_else(|| self.run.into_ended());
        reporter.give_up(&ended, elapsed)
    }
}
