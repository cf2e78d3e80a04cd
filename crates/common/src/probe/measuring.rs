//! A run from the resolving of its target to its summary. With `--json` the summary comes
//! whatever fails: who watches a network by it must not be left without a word just then.

use std::time::Instant;

use crate::exit::Failure;
use crate::probe::interrupt;
use crate::probe::plan::Plan;
use crate::probe::report::Reporter;
use crate::probe::report::run_report::RunReport;
use crate::probe::resolving::resolve;
use crate::probe::run::Run;
use crate::probe::target::{Resolved, Target};

/// A run that is asked for.
#[derive(Debug)]
pub struct Measuring<'a> {
    target: &'a Target,
    plan: Plan,
    reporter: Reporter,
    /// When everything has to end, if there is a deadline.
    end: Option<Instant>,
}

impl<'a> Measuring<'a> {
    /// The run of `target` as planned, which is over at `end`.
    #[must_use]
    pub fn new(target: &'a Target, plan: Plan, reporter: Reporter, end: Option<Instant>) -> Self {
        Self { target, plan, reporter, end }
    }

    /// Makes the run. `prober` is made first, and `drive` has it send the probes until the run is
    /// over.
    ///
    /// # Errors
    /// The run is no success, or it could not be made, or standard output takes no more.
    pub fn run<P>(
        self,
        prober: impl FnOnce() -> Result<P, Failure>,
        drive: impl FnOnce(&mut P, &mut Run) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { target, plan, reporter, end } = self;
        let start = Instant::now();
        interrupt::begin_run();
        let begun = prober().and_then(|prober| {
            RunReport::begin_export(&reporter, plan)?;
            Ok((prober, resolve(target, end)?))
        });
        let (mut prober, destination) = match begun {
            Ok((prober, Resolved::Destination(destination))) => (prober, destination),
            Ok((_, Resolved::Nowhere(outcome))) => {
                let report = RunReport::new(reporter, plan, start);
                return report.nowhere(&outcome.into(), Instant::now());
            }
            Err(failure) => {
                let report = RunReport::new(reporter, plan, start);
                return Err(report.not_begun(failure, Instant::now()));
            }
        };
        let mut run = Run::new(destination, plan, reporter, Instant::now(), end);
        if let Some(every) = plan.resolve_every {
            run.renew(target, every, Instant::now());
        }
        let driven = drive(&mut prober, &mut run);
        run.conclude(driven, Instant::now())
    }
}
