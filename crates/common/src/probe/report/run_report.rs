//! The report of a run: a line for each probe as the run goes, and the summary in the
//! end. `parts` has what is reported of a part of it.

mod parts;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use log::LevelFilter;

use super::backlog::Backlog;
use super::progress::{self, Progress};
use super::summary::{Span, wall_clock};
use super::{Reporter, bars, json, text, way};
use crate::exit::Failure;
use crate::output::Style;
use crate::percent::Percent;
use crate::probe::examination::Subject;
use crate::probe::ledger::Ledger;
use crate::probe::ledger::periods::{Period, Periods};
use crate::probe::outcome::Ended;
use crate::probe::plan::Plan;
use crate::probe::poller::{Watch, earlier};
use crate::probe::stray::Stray;
use crate::probe::trace::path::Path;

/// How many strays have a line each. A stranger may send without end; the summary
/// counts all strays.
const MOST_STRAYS: u64 = 100;

/// The report of a run.
#[derive(Debug)]
pub struct RunReport {
    reporter: Reporter,
    plan: Plan,
    progress: Progress,
    backlog: Backlog,
    start: Instant,
    /// The same, by the wall clock.
    begin: SystemTime,
    /// With `--every`.
    periods: Option<Box<Periods>>,
    /// When the period began, by the wall clock.
    period_begin: SystemTime,
    /// A period that is over and not reported yet, and when it ended.
    over: Option<(Period, SystemTime)>,
    /// When it was last warned of a file that cannot be written.
    warned: Option<Instant>,
}

impl RunReport {
    /// The report of a run that begins at `start`.
    #[must_use]
    pub fn new(reporter: Reporter, plan: Plan, start: Instant) -> Self {
        // The lines of the probes show the progress, and those of the log would mix with it.
        let has_lines = reporter.level() >= least_level(plan, false) && io::stdout().is_terminal();
        let has_log = log::max_level() > LevelFilter::Info;
        let is_silent = reporter.level() < LevelFilter::Warn;
        let progress = Progress::new(start, !(has_lines || has_log || is_silent));
        let (backlog, begin) = (Backlog::default(), wall_clock(start));
        let periods = plan
            .every
            .map(|every| Box::new(Periods::new(every, start, Ledger::new(plan.has_flows))));
        let (period_begin, over, warned) = (begin, None, None);
        Self {
            reporter,
            plan,
            progress,
            backlog,
            start,
            begin,
            periods,
            period_begin,
            over,
            warned,
        }
    }

    /// Whether `--flows` was given.
    #[must_use]
    pub fn has_flows(&self) -> bool {
        self.plan.has_flows
    }

    /// Whether the probe came out as expected.
    #[must_use]
    pub fn is_expected(&self, ended: &Ended) -> bool {
        self.reporter.is_expected(&ended.last)
    }

    /// When progress is to be drawn next, or the period ends.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        earlier(self.progress.next_at(), self.periods.as_ref().map(|periods| periods.ends_at()))
    }

    /// Draws how far the run has come, if it is time for that.
    pub fn draw_progress(&mut self, ledger: &Ledger, now: Instant) {
        let all = self.plan.probes();
        self.progress.draw(now, || text::progress(ledger, all));
    }

    /// Writes what has been reported, as far as standard output takes it at once.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn write(&mut self) -> Result<(), Failure> {
        self.backlog.write()
    }

    /// What the loop waits for at standard output: room, if lines wait for that.
    #[must_use]
    pub fn watch(&self) -> Watch {
        match self.plan.count {
            _ if self.backlog.is_waiting() => Watch::Room,
            None => Watch::Reader,
            Some(_) => Watch::Nothing,
        }
    }

    /// Reports a probe that has ended.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn probe(&mut self, ended: &Ended, is_expected: bool) -> Result<(), Failure> {
        let Self { reporter, plan, .. } = self;
        if reporter.level() < least_level(*plan, !is_expected) {
            return Ok(());
        }
        self.progress.clear();
        let (target, stamp) = (&reporter.target, reporter.output.stamp());
        match reporter.output.style() {
            Style::Json => {
                self.backlog.push(&json::probe(reporter.probed(), reporter.padding, ended, stamp))
            }
            Style::Text => {
                let line = text::probe(target, ended, plan.has_flows);
                self.backlog.push(&format!("{stamp}{line}"))
            }
        }
    }

    /// Reports the `path` of a probe that has been reported before.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn trace(&mut self, subject: &Subject, path: &Path) -> Result<(), Failure> {
        let is_warning = !subject.is_expected;
        let least = if is_warning { LevelFilter::Warn } else { LevelFilter::Info };
        if self.reporter.level() < least {
            return Ok(());
        }
        self.progress.clear();
        let (target, stamp) = (&self.reporter.target, self.reporter.output.stamp());
        match self.reporter.output.style() {
            Style::Json => {
                self.backlog.push(&json::trace(self.reporter.probed(), subject, path, stamp))
            }
            Style::Text => {
                let (number, lines) = (subject.number, way::lines(path, &format!("\n{stamp}")));
                self.backlog.push(&format!("{stamp}{target}: probe={number} {path}; {lines}\n"))
            }
        }
    }

    /// Reports `stray`. With it, there were `strays` in the run so far.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn stray(
        &mut self,
        stray: &Stray,
        strays: u64,
        from: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), Failure> {
        if strays > MOST_STRAYS || self.reporter.level() < least_level(self.plan, true) {
            return Ok(());
        }
        self.progress.clear();
        let stamp = self.reporter.output.stamp();
        match self.reporter.output.style() {
            Style::Json => self.backlog.push(&json::stray(stray, from, local, stamp)),
            Style::Text => {
                let line = text::stray(stray, from, strays == MOST_STRAYS);
                self.backlog.push(&format!("{stamp}{line}"))
            }
        }
    }

    /// Reports a run whose target has no address, or not that source: nothing was sent, because of
    /// `ended`. People have a line about that, as of a single exchange, and programs a summary, too.
    ///
    /// # Errors
    /// The outcome is not the expected one, or standard output takes no more.
    pub fn nowhere(mut self, ended: &Ended, now: Instant) -> Result<(), Failure> {
        let mut ledger = Ledger::new(self.plan.has_flows);
        ledger.ended(ended, self.is_expected(ended));
        self.export(&ledger, false);
        let is_printed = self.reporter.level() >= LevelFilter::Warn;
        let judge = if is_printed { Reporter::exchange } else { Reporter::judge };
        let judged = judge(&self.reporter, ended);
        if !judged.as_ref().is_err_and(Failure::is_unread) {
            self.summarize_for_programs(&ledger, now)?;
            self.backlog.flush()?;
        }
        judged
    }

    /// Reports a run that could not begin, because of `failure`. Programs have a summary of
    /// nothing. Returns the failure, which has been said, or the signal that has ended the saying.
    pub fn not_begun(mut self, failure: Failure, now: Instant) -> Failure {
        self.reporter.say(&failure);
        let ledger = Ledger::new(self.plan.has_flows);
        let written =
            self.summarize_for_programs(&ledger, now).and_then(|()| self.end_after(&failure));
        match written {
            // Nobody has read it, and whoever is waited for need not hold up a signal.
            Err(ended) if ended.signal().is_some() => ended,
            // That it cannot be written is not why the run has failed.
            _ => failure.said(),
        }
    }

    fn summarize_for_programs(&mut self, ledger: &Ledger, now: Instant) -> Result<(), Failure> {
        match self.reporter.output.style() {
            Style::Json => self.summarize(ledger, None, now),
            Style::Text => Ok(()),
        }
    }

    /// Prints the summary of a run that was `driven` to its end, or has failed.
    ///
    /// # Errors
    /// The run has failed; more probes failed than may; no probe has ended; or standard output
    /// takes no more.
    pub fn conclude(
        mut self,
        driven: Result<(), Failure>,
        ledger: &Ledger,
        resolve: Option<Duration>,
        now: Instant,
    ) -> Result<(), Failure> {
        self.progress.clear();
        self.close_period(ledger, now, true);
        self.export(ledger, false);
        if let Err(failure) = driven {
            self.end_after(&failure)?;
            self.reporter.say(&failure);
            self.summarize(ledger, resolve, now)?;
            self.end_after(&failure)?;
            return Err(failure.said());
        }
        self.summarize(ledger, resolve, now)?;
        self.backlog.flush()?;
        self.verdict_on(ledger)
    }

    /// Writes what is left, after `failure`. If that is a signal, the reader is not waited for: it
    /// may be what the signal was for.
    fn end_after(&mut self, failure: &Failure) -> Result<(), Failure> {
        if failure.signal().is_some() { self.backlog.write() } else { self.backlog.flush() }
    }

    /// Prints the summary, after that of the last period, and the histogram if one was asked for. To
    /// a program it is the result, which `-qq` does not silence.
    fn summarize(
        &mut self,
        ledger: &Ledger,
        resolve: Option<Duration>,
        now: Instant,
    ) -> Result<(), Failure> {
        self.print_period(resolve)?;
        let elapsed = now.saturating_duration_since(self.start);
        let span = Span { begin: self.begin, end: wall_clock(now), elapsed };
        self.print("summary", None, ledger, resolve, span)
    }

    /// Whether the run is a success. Probes that have not ended are none: they were waited for. In
    /// an endless run they count neither way if silence is a success: whenever such a run ends, some
    /// are out.
    fn verdict_on(&self, ledger: &Ledger) -> Result<(), Failure> {
        let Self { reporter: Reporter { target, expected, .. }, plan, .. } = self;
        let is_open = plan.count.is_none() && expected.has_silence();
        let unfinished = if is_open { 0 } else { ledger.unfinished() };
        if ledger.ended_in_all() == 0 {
            return Err(Failure::outcome(target, "no probe has ended").without_object());
        }
        let failed_here = ledger.failed_here;
        let (bad, sent) = (ledger.failed + failed_here + unfinished, ledger.sent);
        if !plan.max_loss.is_exceeded(bad, sent) {
            return Ok(());
        }
        let failed = if expected.is_reply() {
            "failed".to_owned()
        } else {
            format!("came to something else than {}", expected)
        };
        let kinds = [
            (ledger.failed, failed.as_str()),
            (failed_here, "failed on this machine"),
            (unfinished, "did not end"),
        ];
        let kinds = kinds.iter().filter(|(count, _)| *count > 0);
        let kinds: Vec<_> =
            kinds.map(|(count, what)| format!("{count} of {sent} probes {what}")).collect();
        let words = format!("{} ({} %)", kinds.join(", "), Percent::of(bad, sent));
        let failure = if failed_here == bad {
            Failure::local(target, words)
        } else {
            Failure::outcome(target, words)
        };
        Err(failure.without_object())
    }

    fn histogram(&self, ledger: &Ledger) -> String {
        let histogram = self.plan.histogram;
        let drawn = histogram.then(|| bars::draw(&ledger.reply, progress::columns(&io::stdout())));
        drawn.unwrap_or_default()
    }
}

/// The level from which on a probe has a line of its own. A failed probe has a line with
/// `-q` too, as a warning. In a closed loop no probe has a line without `-v`: there may be
/// very many.
fn least_level(plan: Plan, has_failed: bool) -> LevelFilter {
    match (plan.interval.is_zero(), has_failed) {
        (true, _) => LevelFilter::Debug,
        (false, true) => LevelFilter::Warn,
        (false, false) => LevelFilter::Info,
    }
}
