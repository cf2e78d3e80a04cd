//! The probes that a client's loop sends: a single exchange, or a run that is measured
//! and reported.
//!
//! A run has no socket and reads no clock. The loop asks the run which probe is due,
//! sends the probe, and hands its outcome back. `attempts` has what is no run: exchanges that are
//! not measured, and that the caller reports; `ending` how a run ends before its time; `examining`
//! what happens to probes that are examined once they have ended; `moving` how a run follows a
//! target whose address changes; `reporting` what is said of it all, and when.

mod attempts;
pub mod ending;
mod examining;
mod moving;
mod reporting;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::probe::aim::{Aim, Probe};
use crate::probe::destination::Destination;
use crate::probe::examination::{Examining, Wanted};
use crate::probe::findings::Findings;
use crate::probe::ledger::Ledger;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::plan::Plan;
use crate::probe::races::{Next, Races};
use crate::probe::renewal::Renewal;
use crate::probe::report::Reporter;
use crate::probe::report::run_report::RunReport;
use crate::probe::schedule::{Due, Schedule};
use crate::probe::verbose;

/// The most probes that one turn of the loop sends. Probes that fail at once hold no
/// socket. Without this limit a turn could send them for ever, and would see no signal
/// and no deadline.
const MOST_A_TURN: usize = 1000;

/// The probes of one target.
#[derive(Debug)]
pub struct Run {
    destination: Destination,
    /// Asks for the target's name again.
    renewal: Option<Box<Renewal>>,
    /// Where the target was, and is now, until that is reported.
    moved: Option<(SocketAddr, SocketAddr)>,
    schedule: Schedule,
    aim: Aim,
    ledger: Ledger,
    /// None for a single exchange, which the caller reports.
    report: Option<RunReport>,
    /// When the exchange or the run ends at the latest.
    end: Option<Instant>,
    /// When everything has to end, if there is a deadline.
    deadline: Option<Instant>,
    /// When the caller wants the loop back, even if nothing has ended.
    pause: Option<Instant>,
    /// The probes under way.
    races: Races,
    left_of_turn: usize,
    /// The longest that an answer took that is no reply: a refusal, a reset.
    slowest_refusal: Duration,
    is_stopped: bool,
    /// The signal that has ended the run, and when it came.
    signal: Option<(Signal, Instant)>,
    /// Probes that have ended and are not reported yet.
    ended: VecDeque<Ended>,
    examining: Examining,
    /// A single exchange that has ended, and that is being examined before the caller has it.
    held: Option<Ended>,
    /// What was found out about an attempt, until the caller takes it.
    findings: Option<Rc<Findings>>,
}

impl Run {
    /// A run as planned, which begins at `start` and ends at `end` at the latest. A
    /// probe that is under way at `end` stays unfinished; its own time is not shortened.
    #[must_use]
    pub fn new(
        destination: Destination,
        plan: Plan,
        reporter: Reporter,
        start: Instant,
        end: Option<Instant>,
    ) -> Self {
        // Nobody waits for the end of this many.
        let count = plan.count.unwrap_or(u64::MAX);
        let schedule = Schedule::new(start, plan.interval, plan.flows, count);
        let wanted = reporter.wanted().map(Wanted::of_run);
        let report = Some(RunReport::new(reporter, plan, start));
        let mut ledger = Ledger::new(plan.has_flows);
        ledger.uses_ports_again = plan.has_flows || destination.has_source_port();
        let of = Self::of(destination, schedule, ledger, wanted);
        Self { end, deadline: end, report, ..of }
    }

    fn of(
        destination: Destination,
        schedule: Schedule,
        ledger: Ledger,
        wanted: Option<Wanted>,
    ) -> Self {
        Self {
            schedule,
            aim: destination.aim(),
            renewal: None,
            moved: None,
            ledger,
            report: None,
            end: None,
            deadline: None,
            pause: None,
            races: Races::default(),
            left_of_turn: MOST_A_TURN,
            slowest_refusal: Duration::ZERO,
            is_stopped: false,
            signal: None,
            ended: VecDeque::new(),
            examining: Examining::new(wanted),
            held: None,
            findings: None,
            destination,
        }
    }

    /// What the probes go to.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// What became of the probes so far.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether each flow keeps its source port.
    #[must_use]
    pub fn keeps_ports(&self) -> bool {
        self.report.as_ref().is_some_and(RunReport::has_flows)
    }

    /// Begins a turn of the loop. Stops the run if its time is up, follows the target, ends the period if it is
    /// over, and draws the progress.
    pub fn begin_turn(&mut self, now: Instant) {
        self.left_of_turn = MOST_A_TURN;
        if self.report.is_some() && self.end.is_some_and(|end| end <= now + self.grace()) {
            self.stop_sending(now);
        }
        if self.stops_at().is_some_and(|end| end <= now) {
            self.is_stopped = true;
        }
        self.follow(now);
        if let Some(report) = &mut self.report {
            report.end_period(&self.ledger, now);
            report.draw_progress(&self.ledger, now);
        }
    }

    /// Enters what the schedule knows: which probes were not sent, or not when they were due.
    fn note_schedule(&mut self) {
        self.ledger.skipped = self.schedule.skipped();
        self.ledger.held = self.schedule.held();
    }

    /// Takes the next probe: one that goes on to its next address, or one that is due and
    /// whose flow `is_free` to send it. `None` if there is no such probe, or if this turn has
    /// sent enough.
    pub fn take(&mut self, now: Instant, is_free: &dyn Fn(u32) -> bool) -> Option<Probe> {
        self.left_of_turn = self.left_of_turn.checked_sub(1)?;
        if self.is_stopped {
            return None;
        }
        while let Some(next) = self.races.next(now) {
            match next {
                Next::Probe(probe) => return Some(probe),
                Next::End(due, ended) => self.end(due, ended, now),
            }
        }
        let due = self.schedule.take(now, is_free);
        self.note_schedule();
        let due = due?;
        // A single exchange has to be over at `end`; a run leaves its probe unfinished.
        let end = self.end.filter(|_| self.report.is_none());
        let probe = self.aim.probe(due, now, end)?;
        self.races.add(&self.aim, probe);
        self.ledger.sent += 1;
        Some(probe)
    }

    /// Notes that `probe`, which was taken, has to wait for its port.
    pub fn wait_for_port(&mut self, probe: &mut Probe) {
        probe.due.is_held = true;
        self.schedule.hold();
        self.note_schedule();
    }

    /// Notes that a probe leaves from another port than its flow's.
    pub fn leave_port(&mut self) {
        self.ledger.left_port += 1;
    }

    /// Notes that `probe` is sent at `now`, by a call that has `returned`: its time is counted from
    /// `now`.
    pub fn begin(&mut self, probe: &mut Probe, now: Instant, returned: Instant) {
        self.races.begin(probe, now, returned);
    }

    /// Notes that `probe` has won at `now`: the other addresses do not count any more. Returns
    /// whether the probe is under way to any of them. If so, the caller gives those up.
    pub fn won(&mut self, probe: &Probe, now: Instant) -> bool {
        self.races.won(probe, now)
    }

    /// Takes in the `outcome` of `probe` at the address that it went to. An answer wins.
    /// Returns whether other addresses, where the probe is or was under way, do not count any
    /// more. If so, the caller gives those up.
    pub fn take_in(&mut self, probe: &Probe, mut outcome: Outcome, now: Instant) -> bool {
        outcome.resolve = self.destination.resolve();
        outcome.dscp_sent = self.destination.dscp();
        verbose::say(format_args!("[*] {}: {outcome}", probe.address()));
        let is_answered = outcome.is_answered();
        if is_answered {
            self.aim.narrow(probe.address());
        }
        let has_rivals = is_answered && self.won(probe, now);
        let Some(ended) = self.races.take_in(probe, outcome, now) else {
            return has_rivals;
        };
        // If the probe has not ended in silence, a reply that still comes is no late one.
        let is_settled = probe.is_in_race() && !ended.last.is_silence();
        self.end(probe.due, ended, now);
        has_rivals || is_settled
    }

    /// Notes that the probe that was `due` has `ended` at `now`.
    fn end(&mut self, due: Due, ended: Ended, now: Instant) {
        if ended.last.is_refusal() {
            let sent = due.at + ended.delay.unwrap_or_default();
            self.slowest_refusal = self.slowest_refusal.max(now.saturating_duration_since(sent));
        }
        self.schedule.ended(due, now);
        self.report.iter_mut().for_each(|report| report.enter(&ended));
        self.report_or_hold(ended, due.flow, now);
    }

    /// When the loop has to act next, apart from the end of a probe's time: a probe is due
    /// whose flow `is_free` to send it, or goes on to its next address; the run ends; progress
    /// is to be drawn; the name is asked for again. The loop listens for late replies until `listening`, if at all.
    pub fn next_at(
        &self,
        is_free: &dyn Fn(u32) -> bool,
        listening: Option<Instant>,
    ) -> Option<Instant> {
        let progress = self.report.as_ref().and_then(RunReport::next_at);
        let next_address = self.races.next_at();
        // An examination goes on beside the listening, and may end later.
        let is_last = self.report.is_some() && self.has_ended() && !self.examining.is_busy();
        let end_of_listening = listening.filter(|_| is_last);
        let due = self.schedule.next_at(is_free);
        let renewal = self.renewal.as_ref().and_then(|renewal| renewal.next_at(due));
        let times = [due, next_address, self.stops_at(), end_of_listening, progress, renewal];
        times.into_iter().flatten().min()
    }

    /// When the run stops. A single exchange that is under way ends by itself.
    fn stops_at(&self) -> Option<Instant> {
        let end = self.end.filter(|_| self.report.is_some() || self.races.is_empty());
        self.pause.or(end)
    }

    /// Whether the run is over at `now`: stopped, or every probe has ended, and the loop does
    /// not listen for late replies any more, as it does until `listening`. A single exchange is
    /// over as soon as it has ended.
    #[must_use]
    pub fn is_over(&self, now: Instant, listening: Option<Instant>) -> bool {
        let is_quiet = listening.is_none_or(|until| until <= now) || self.report.is_none();
        let has_outcome = self.report.is_none() && !self.ended.is_empty();
        let is_waiting = self.pause.is_some_and(|pause| now < pause);
        let is_idle = is_quiet && !is_waiting && !self.examining.is_busy();
        self.is_stopped || has_outcome || (self.has_ended() && is_idle)
    }

    /// Whether every probe has ended.
    fn has_ended(&self) -> bool {
        self.races.is_empty() && self.schedule.is_empty()
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
