//! How a run ends before its last probe has, and what it waits for then.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Run;
use crate::exit::Failure;
use crate::probe::ledger::directions::Directions;
use crate::probe::poller::{Watch, earlier};

/// How long an interrupted run waits for what is out, at least: where replies take microseconds,
/// twice that is less than this machine may take to wake a process.
const LEAST_GRACE: Duration = Duration::from_millis(100);

/// Signals that come so soon after the first one belong to it: timeout(1) signals its child, and
/// then the child's group.
const ONE_WISH: Duration = Duration::from_millis(200);

/// How long an answer of a witness may take at most. Whoever waits for the end of a run need not
/// wait much longer.
const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// How often an inquiry is sent: where much is lost, the first ones may be lost, too.
const MOST_TRIES: u32 = 3;

/// How long a witness is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one answer.
    pub each: Duration,
    /// For all answers, until this time.
    pub until: Instant,
    /// How often each inquiry is sent.
    pub tries: u32,
}

impl Run {
    /// Sends no further probe.
    pub(super) fn stop_sending(&mut self, now: Instant) {
        self.schedule.stop(now);
        self.note_schedule();
    }

    /// How long the answers to the probes that are out may take: twice the longest time so
    /// far. No probe is sent that has less time left before the end of the run.
    pub(super) fn grace(&self) -> Duration {
        let slowest = self.ledger.from_sending().greatest().max(self.slowest_refusal);
        (slowest * 2).min(self.aim.timeout)
    }

    /// Ends the run early, because `signal` asks for it at `now`: no further probe is sent,
    /// and those that are out have twice as long as answers have taken so far. SIGQUIT ends
    /// nothing: the figures so far are reported.
    ///
    /// # Errors
    /// The signal ends the process at once: a single exchange, whose outcome nobody waits for any
    /// more; or a run that a signal has ended before. A terminal that hangs up leaves nobody to
    /// report to.
    pub fn interrupt(&mut self, signal: Signal, now: Instant) -> Result<(), Failure> {
        if signal == Signal::SIGQUIT {
            self.report_ended()?;
            let Self { report, ledger, destination, .. } = self;
            let report = report.as_mut();
            return report
                .map_or(Ok(()), |report| report.so_far(ledger, destination.resolve(), now));
        }
        let is_single = self.report.is_none() && self.pause.is_none();
        match self.signal {
            _ if is_single || signal == Signal::SIGHUP => return Err(Failure::by_signal(signal)),
            None => {}
            Some((_, first)) if now < first + ONE_WISH => return Ok(()),
            Some(_) => return Err(Failure::by_signal(signal)),
        }
        self.stop_sending(now);
        self.signal = Some((signal, now));
        let grace = self.grace().max(LEAST_GRACE.min(self.aim.timeout));
        self.end = earlier(self.end, Some(now + grace));
        self.is_stopped |= self.report.is_none();
        Ok(())
    }

    /// How often a witness is asked about lost probes, how long each answer may take, and until when
    /// at the latest. After a signal that is not repeated: somebody waits for the end.
    #[must_use]
    pub fn patience(&self, now: Instant) -> Patience {
        let each = (self.ledger.from_sending().greatest() * 3).clamp(LEAST_GRACE, MOST_PATIENCE);
        let tries = if self.signal.is_some() { 1 } else { MOST_TRIES };
        let until = now + each * tries;
        Patience { each, until: earlier(self.deadline, Some(until)).unwrap_or(until), tries }
    }

    /// Enters in which directions probes were lost.
    pub fn note_directions(&mut self, directions: Directions) {
        self.ledger.directions = Some(directions);
    }

    /// The signal that has ended the run.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        self.signal.map(|(signal, _)| signal)
    }

    /// Ends the run, which was `driven` to its end or has failed, with its summary.
    ///
    /// # Errors
    /// The run has failed; more probes failed than may; or standard output takes no more.
    pub fn conclude(mut self, driven: Result<(), Failure>, now: Instant) -> Result<(), Failure> {
        let has_no_summary = |failure: &Failure| {
            failure.is_unread() || (failure.signal().is_some() && !self.may_go_on())
        };
        if driven.as_ref().is_err_and(has_no_summary) {
            return driven;
        }
        self.report_ended()?;
        let resolve = self.destination.resolve();
        self.report.map_or(Ok(()), |report| report.conclude(driven, &self.ledger, resolve, now))
    }

    /// Whether a run that a signal has ended may go on to its summary. Not after a second signal,
    /// which wants the end at once; and not if the reader of the lines before does not read.
    fn may_go_on(&mut self) -> bool {
        let is_written = self.report.as_mut().is_none_or(|report| report.write().is_ok());
        self.signal.is_none() && is_written && self.watch() != Watch::Room
    }
}
