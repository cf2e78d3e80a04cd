//! A run, told as it goes, and in the end.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::LevelFilter;

use crate::duration::Millis;
use crate::exit::Failure;
use crate::output::Style;
use crate::percent::Percent;
use crate::probe::ledger::{Ended, Ledger};
use crate::probe::outcome::Outcomes;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::plan::Plan;
use crate::probe::report::bars;
use crate::probe::report::json;
use crate::probe::report::progress::{self, Progress};
use crate::probe::report::summary::{NOISE, Summary};
use crate::probe::report::{Reporter, print};
use crate::probe::source_port::{Kind, Stray};

/// So many strays have a line each: a stranger may send without end, and the
/// summary counts them all.
const MOST_STRAYS: u64 = 100;

/// What is known of a run, and how it is told.
#[derive(Debug)]
pub struct Telling {
    reporter: Reporter,
    plan: Plan,
    pub(crate) ledger: Ledger,
    progress: Progress,
    start: Instant,
    resolve: Option<Duration>,
}

impl Telling {
    /// Tells of a run that begins at `start`.
    #[must_use]
    pub fn new(reporter: Reporter, plan: Plan, start: Instant, resolve: Option<Duration>) -> Self {
        let mut ledger = Ledger::default();
        ledger.ports = plan.has_flows.then(Default::default);
        let has_lines = reporter.level() >= least_level(plan, false);
        let is_talkative =
            reporter.level() < LevelFilter::Warn || reporter.level() > LevelFilter::Info;
        let progress = Progress::new(start, has_lines || is_talkative);
        Self { reporter, plan, ledger, progress, start, resolve }
    }

    /// Whether flows were asked for.
    #[must_use]
    pub fn has_flows(&self) -> bool {
        self.plan.has_flows
    }

    /// When there is something to be done.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.progress.next_at()
    }

    /// Does it, if it is time.
    pub fn tick(&mut self, now: Instant) {
        let Self { progress, ledger, plan, .. } = self;
        progress.tick(now, || {
            let all = plan.probes();
            let (ok, lost) = (ledger.count(Verdict::Ok), ledger.lost());
            let median = ledger.from_sending().percentile(500);
            let median =
                median.map_or_else(String::new, |time| format!(", p50 {} ms", Millis(time)));
            format!("{} of {all} sent: {ok} ok, {lost} lost{median}", ledger.sent)
        });
    }

    /// A probe has ended, which was sent so long after it was due.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn ended(
        &mut self,
        number: u64,
        delay: Duration,
        mut outcomes: Outcomes,
    ) -> Result<(), Failure> {
        let is_expected = self.reporter.judge(&mut outcomes.last);
        let ended = Ended { number, delay: Some(delay), outcome: &outcomes.last };
        self.ledger.ended(&ended, is_expected);
        if self.reporter.level() < least_level(self.plan, !is_expected) {
            return Ok(());
        }
        self.progress.clear();
        let output = self.reporter.reporting.output;
        if output.style() == Style::Json {
            return print(&json::probe(&self.reporter.target, &ended, output.stamp()));
        }
        print(&format!("{}{}\n", output.stamp(), self.line(&ended, &outcomes)))
    }

    /// `4 bytes from 127.0.0.1:6666: probe=1 connect=0.123 ms reply=0.084 ms`
    fn line(&self, ended: &Ended<'_>, outcomes: &Outcomes) -> String {
        let Ended { number, delay, outcome } = ended;
        let mut line = match (&outcome.result, outcome.address) {
            (Ok(reply), Some(from)) => format!("{} bytes from {from}: probe={number}", reply.len()),
            _ => format!("{}: probe={number}", self.reporter.target),
        };
        let mut add = |name, time: Option<Duration>| {
            if let Some(time) = time {
                line += &format!(" {name}={} ms", Millis(time));
            }
        };
        add("connect", outcome.connect);
        add("reply", outcome.reply);
        add("delay", delay.filter(|delay| *delay > NOISE));
        if let Some(again @ 1..) = outcome.syn_retransmits {
            line += &format!(" syns={}", again + 1);
        }
        if let (true, Some(local)) = (self.plan.has_flows, outcome.local) {
            line += &format!(" port={}", local.port());
        }
        if outcome.result.is_err() {
            line += &format!(" {}", self.reporter.words(outcomes));
        }
        line
    }

    /// Something came that no probe was waiting for.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn stray(
        &mut self,
        stray: Stray,
        from: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), Failure> {
        self.ledger.stray(stray.kind);
        let is_told = self.ledger.strays() <= MOST_STRAYS;
        if !is_told || self.reporter.level() < least_level(self.plan, true) {
            return Ok(());
        }
        self.progress.clear();
        let output = self.reporter.reporting.output;
        if output.style() == Style::Json {
            return print(&json::stray(&stray, from, local, output.stamp()));
        }
        let (kind, number, after) = (stray.kind.as_str(), stray.number, Millis(stray.after));
        let words = match stray.kind {
            Kind::Late | Kind::Duplicate => format!("{kind} reply, {after} ms after it was sent"),
            Kind::Foreign => "foreign: not the target's".to_owned(),
        };
        let rest =
            if self.ledger.strays() == MOST_STRAYS { " (more are only counted)" } else { "" };
        print(&format!("{}{from}: probe={number} {words}{rest}\n", output.stamp()))
    }

    /// Tells what the run came to.
    ///
    /// # Errors
    /// More failed than may; or standard output takes no more.
    pub fn conclude(mut self, now: Instant) -> Result<(), Failure> {
        self.progress.clear();
        let Self { reporter, plan, ledger, resolve, .. } = &self;
        let output = reporter.reporting.output;
        let summary = Summary {
            target: &reporter.target,
            expected: reporter.reporting.expect,
            ledger,
            elapsed: now.saturating_duration_since(self.start),
            resolve: *resolve,
        };
        if reporter.level() >= LevelFilter::Warn {
            if output.style() == Style::Json {
                print(&json::summary(&summary, output.stamp()))?;
            } else {
                let histogram = plan
                    .histogram
                    .then(|| bars::draw(&ledger.reply, progress::columns(&io::stdout())));
                print(&format!("{summary}{}", histogram.unwrap_or_default()))?;
            }
        }
        judge(&summary, plan.max_loss)
    }
}

/// The level from which on a probe has a line of its own: one that failed has it
/// under `-q` too, as a warning, and none has it where there may be very many.
fn least_level(plan: Plan, has_failed: bool) -> LevelFilter {
    match (plan.interval.is_zero(), has_failed) {
        (true, _) => LevelFilter::Debug,
        (false, true) => LevelFilter::Warn,
        (false, false) => LevelFilter::Info,
    }
}

fn judge(summary: &Summary<'_>, max_loss: Percent) -> Result<(), Failure> {
    let (ledger, ended) = (summary.ledger, summary.ended());
    if ended == 0 {
        return Err(Failure::outcome(summary.target, "no probe has ended").object_written());
    }
    if !max_loss.is_exceeded(ledger.failed, ended) {
        return Ok(());
    }
    let share = Percent::of(ledger.failed, ended);
    let what = match summary.expected {
        Verdict::Ok => "failed".to_owned(),
        expected => format!("came to something else than {expected}"),
    };
    let words = format!("{} of {ended} probes {what} ({share} %)", ledger.failed);
    let is_local = ledger.count(Verdict::Local) == ledger.failed;
    let failure = if is_local {
        Failure::local(summary.target, words)
    } else {
        Failure::outcome(summary.target, words)
    };
    Err(failure.object_written())
}
