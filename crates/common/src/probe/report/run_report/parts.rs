//! What is reported of a part of a run: its periods (`--every`), and what has been so far, when
//! somebody asks for that by SIGQUIT; and where its target is.

use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use log::{LevelFilter, warn};

use super::RunReport;
use crate::exit::Failure;
use crate::output::Style;
use crate::probe::ledger::Ledger;
use crate::probe::ledger::periods::Period;
use crate::probe::outcome::Ended;
use crate::probe::plan::Plan;
use crate::probe::report::summary::{Span, Summary, wall_clock};
use crate::probe::report::{Reporter, export, exposition, json, text};
use crate::probe::stray::Stray;

/// A file that cannot be written is warned of so often at most: whoever reads it sees by its age
/// that it is not written.
const WARN_EVERY: Duration = Duration::from_secs(600);

fn export(
    reporter: &Reporter,
    plan: Plan,
    run: &Ledger,
    begin: Option<SystemTime>,
) -> Result<(), Failure> {
    let Some(path) = plan.prometheus else {
        return Ok(());
    };
    export::write(path, &exposition::of(reporter.probed(), run, begin))
}

impl RunReport {
    /// Enters a probe that has just ended in its period.
    pub fn enter(&mut self, ended: &Ended) {
        if let Some(periods) = &mut self.periods {
            periods.ended(ended, self.reporter.is_expected(&ended.last));
        }
    }

    /// Enters a stray that has just come in its period.
    pub fn enter_stray(&mut self, stray: &Stray) {
        self.periods.iter_mut().for_each(|periods| periods.stray(stray));
    }

    /// Ends the period, if it is time for that. It is reported when there is nothing else to do:
    /// the probes that are due now belong to the next one, and must not wait.
    pub fn end_period(&mut self, run: &Ledger, now: Instant) {
        if self.periods.as_ref().is_some_and(|periods| periods.ends_at() <= now) {
            self.close_period(run, now, false);
        }
    }

    pub(super) fn close_period(&mut self, run: &Ledger, now: Instant, is_last: bool) {
        if let Some(periods) = &mut self.periods {
            self.over = Some((periods.end(run, now, is_last), wall_clock(now)));
        }
    }

    /// Reports the period that is over, if one is, and keeps the figures of the `run` so far.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn period(&mut self, run: &Ledger, resolve: Option<Duration>) -> Result<(), Failure> {
        if self.over.is_none() {
            return Ok(());
        }
        self.export(run, true);
        self.print_period(resolve)
    }

    /// Writes the file that keeps the figures, if there is one, before the run.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin_export(reporter: &Reporter, plan: Plan) -> Result<(), Failure> {
        export(reporter, plan, &Ledger::new(false), None)
    }

    /// Keeps the figures of the `run` in their file, if there is one. If that fails, it is warned
    /// of, once in a while; in any case if nothing `is_to_come`.
    pub(super) fn export(&mut self, run: &Ledger, is_to_come: bool) {
        let Self { reporter, plan, .. } = self;
        let Err(failure) = export(reporter, *plan, run, Some(self.begin)) else {
            return;
        };
        let now = Instant::now();
        let is_known = self.warned.is_some_and(|warned| now < warned + WARN_EVERY);
        if !(is_known && is_to_come) {
            self.warned = Some(now);
            self.progress.clear();
            warn!("{}: {failure}", self.reporter.program);
        }
    }

    pub(super) fn print_period(&mut self, resolve: Option<Duration>) -> Result<(), Failure> {
        let Some((period, end)) = self.over.take() else {
            return Ok(());
        };
        self.progress.clear();
        let begin = mem::replace(&mut self.period_begin, end);
        let Period { number, ledger, elapsed } = period;
        self.print("period", Some(number), &ledger, resolve, Span { begin, end, elapsed })
    }

    /// Reports the figures of the `run` so far, because somebody asks for them.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn so_far(
        &mut self,
        run: &Ledger,
        resolve: Option<Duration>,
        now: Instant,
    ) -> Result<(), Failure> {
        let elapsed = now.saturating_duration_since(self.start);
        let span = Span { begin: self.begin, end: wall_clock(now), elapsed };
        match self.reporter.output.style() {
            Style::Json => self.print("progress", None, run, resolve, span),
            Style::Text if self.reporter.level() < LevelFilter::Warn => Ok(()),
            Style::Text => {
                let words = text::so_far(&self.summary(None, run, resolve, span));
                let stamp = self.reporter.output.stamp();
                self.progress.say(&format!("{stamp}{words}"));
                Ok(())
            }
        }
    }

    /// Reports that the target is no longer where probes went, and where it is.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn address_changed(&mut self, from: SocketAddr, to: SocketAddr) -> Result<(), Failure> {
        let Reporter { target, output, .. } = &self.reporter;
        if output.level() < LevelFilter::Warn {
            return Ok(());
        }
        self.progress.clear();
        let stamp = output.stamp();
        let line = match output.style() {
            Style::Json => json::address_changed(self.reporter.probed(), from, to, stamp),
            Style::Text => {
                let (from, to) = (from.ip(), to.ip());
                format!("{stamp}{target}: address changed from {from} to {to}\n")
            }
        };
        self.backlog.push(&line)
    }

    /// Prints the figures in `ledger`, of the whole run or of this `period`.
    pub(super) fn print(
        &mut self,
        event: &str,
        period: Option<u64>,
        ledger: &Ledger,
        resolve: Option<Duration>,
        span: Span,
    ) -> Result<(), Failure> {
        let histogram = self.histogram(ledger);
        let summary = self.summary(period, ledger, resolve, span);
        let output = self.reporter.output;
        let lines = match output.style() {
            Style::Json => json::summary(event, &summary, output.stamp()),
            Style::Text if output.level() < LevelFilter::Warn => return Ok(()),
            Style::Text => text::summary(&summary) + &histogram,
        };
        self.backlog.push(&lines)
    }

    fn summary<'a>(
        &'a self,
        period: Option<u64>,
        ledger: &'a Ledger,
        resolve: Option<Duration>,
        span: Span,
    ) -> Summary<'a> {
        let (probed, expected) = (self.reporter.probed(), self.reporter.expected);
        let in_order = ledger.succession.so_far();
        Summary { probed, expected, ledger, in_order, resolve, span, period }
    }
}
