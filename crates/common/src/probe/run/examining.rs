//! Probes that are examined once they have ended. A single exchange is held back until then: what
//! was found is part of what came of it. A probe of a run is reported at once, and what was found
//! when it is known.

use std::rc::Rc;
use std::time::Instant;

use super::Run;
use crate::exit::Failure;
use crate::probe::examination::Subject;
use crate::probe::findings::Findings;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::trace::path::Path;

impl Run {
    /// Has the caller, or the report, take the probe that has `ended`, sent by `flow`: now, or when
    /// it has been examined. Of the attempts of `--wait` only the last one is examined.
    pub(super) fn report_or_hold(&mut self, ended: Ended, flow: u32, now: Instant) {
        let is_attempt = self.pause.is_some();
        let is_examined = !is_attempt && self.examining.add(&ended, flow, now, self.end);
        if is_examined && self.report.is_none() {
            self.held = Some(ended);
        } else {
            self.ended.push_back(ended);
        }
    }

    /// Whether a probe with this outcome, which ends at `now`, is going to be examined, or may be.
    #[must_use]
    pub fn would_examine(&self, outcome: &Outcome, now: Instant) -> bool {
        self.examining.would_examine(outcome, now)
    }

    /// Has an attempt examined that has `ended`, from `now` on and until `end` at the latest. What is
    /// found is kept until [`Run::take_findings`]. Returns whether the attempt is to be examined.
    pub fn examine(&mut self, ended: &Ended, now: Instant, end: Option<Instant>) -> bool {
        // Attempts have one flow.
        self.examining.add(ended, 0, now, end)
    }

    /// What was found out about an attempt.
    pub fn take_findings(&mut self) -> Option<Rc<Findings>> {
        self.findings.take()
    }

    /// Whether an examination that is under way at `now` goes on when the loop is driven again.
    #[must_use]
    pub fn goes_on_examining(&self, now: Instant) -> bool {
        let is_attempt = self.pause.is_some() && self.signal.is_none();
        is_attempt && self.end.is_none_or(|end| now < end)
    }

    /// What the loop has to examine from now on, if anything. It calls [`Run::examined`] when it
    /// knows more, and before the run is over.
    pub fn begin_examination(&mut self, now: Instant) -> Option<Subject> {
        self.examining.begin(now)
    }

    /// Takes in what was found out about the probe that is being examined: its way, and its trouble,
    /// if more is known of it now.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn examined(
        &mut self,
        trace: Option<Path>,
        trouble: Option<Trouble>,
    ) -> Result<(), Failure> {
        let Some((subject, begun)) = self.examining.end() else {
            return Ok(());
        };
        if self.report.is_some() {
            self.report_ended()?;
        }
        if let Some(report) = &mut self.report {
            return trace.map_or(Ok(()), |path| report.trace(&subject, &path));
        }
        let findings = Some(Rc::new(Findings { begun, trace, trouble }));
        match self.held.take() {
            Some(ended) => self.ended.push_back(ended.examined(findings)),
            None => self.findings = findings,
        }
        Ok(())
    }
}
