//! Probes that are examined once they have ended. A single exchange is held back until then: what
//! was found is part of what came of it. A probe of a run is reported at once, and what was found
//! when it is known.

use std::time::Instant;

use super::Run;
use crate::exit::Failure;
use crate::probe::examination::Subject;
use crate::probe::findings::Findings;
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

    /// Whether a probe with this outcome, which ends at `now`, is going to be examined.
    #[must_use]
    pub fn would_examine(&self, outcome: &Outcome, now: Instant) -> bool {
        self.pause.is_none() && self.examining.would_examine(outcome, now)
    }

    /// What the loop has to examine from now on, if anything. It calls [`Run::examined`] when it
    /// knows more, and before the run is over.
    pub fn begin_examination(&mut self, now: Instant) -> Option<Subject> {
        self.examining.begin(now)
    }

    /// Takes in what was found out about the probe that is being examined.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn examined(&mut self, trace: Option<Path>) -> Result<(), Failure> {
        let Some((subject, begun)) = self.examining.end() else {
            return Ok(());
        };
        if let Some(ended) = self.held.take() {
            let findings = Some(Box::new(Findings { begun, trace }));
            self.ended.push_back(Ended { findings, ..ended });
            return Ok(());
        }
        self.report_ended()?;
        match (&mut self.report, trace) {
            (Some(report), Some(path)) => report.trace(&subject, &path),
            _ => Ok(()),
        }
    }
}
