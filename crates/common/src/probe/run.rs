//! The probes that a client's loop sends: a single exchange, or a run that is measured
//! and reported.
//!
//! A run has no socket and reads no clock. The loop asks the run which probe is due,
//! sends the probe, and hands its outcome back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::debug;

use crate::exit::Failure;
use crate::probe::aim::{Aim, Probe};
use crate::probe::destination::Destination;
use crate::probe::ledger::Ledger;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::plan::{MOST_SOCKETS, Plan};
use crate::probe::report::Reporter;
use crate::probe::report::run_report::RunReport;
use crate::probe::schedule::Schedule;
use crate::probe::stray::Stray;

/// The most probes that one turn of the loop sends. Probes that fail at once hold no
/// socket. Without this limit a turn could send them for ever, and would see no signal
/// and no deadline.
const MOST_A_TURN: usize = MOST_SOCKETS;

/// The probes of one target.
#[derive(Debug)]
pub struct Run {
    destination: Destination,
    schedule: Schedule,
    aim: Aim,
    ledger: Ledger,
    /// None for a single exchange, which the caller reports.
    report: Option<RunReport>,
    /// When the exchange or the run ends at the latest.
    end: Option<Instant>,
    under_way: u64,
    left_of_turn: usize,
    is_stopped: bool,
    /// Probes that have ended and are not reported yet.
    ended: Vec<Ended>,
}

impl Run {
    /// A single exchange, which begins at `start` and ends at `end` at the latest.
    #[must_use]
    pub fn once(destination: Destination, start: Instant, end: Option<Instant>) -> Self {
        let schedule = Schedule::new(start, Duration::ZERO, 1, 1);
        Self { end, ..Self::of(destination, schedule, Ledger::new(false)) }
    }

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
        let schedule = Schedule::new(start, plan.interval, plan.flows, plan.count);
        let report = Some(RunReport::new(reporter, plan, start));
        Self { end, report, ..Self::of(destination, schedule, Ledger::new(plan.has_flows)) }
    }

    fn of(destination: Destination, schedule: Schedule, ledger: Ledger) -> Self {
        Self {
            schedule,
            aim: Aim::new(destination.addresses(), destination.timeout()),
            ledger,
            report: None,
            end: None,
            under_way: 0,
            left_of_turn: MOST_A_TURN,
            is_stopped: false,
            ended: Vec::new(),
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

    /// Begins a turn of the loop. Stops the run if its time is up, and draws the progress.
    pub fn begin_turn(&mut self, now: Instant) {
        self.left_of_turn = MOST_A_TURN;
        if self.stops_at().is_some_and(|end| end <= now) {
            self.stop();
        }
        if let Some(report) = &mut self.report {
            report.draw_progress(&self.ledger, now);
        }
    }

    /// Takes the next probe that is due and whose flow `is_free` to send one. `None` if
    /// there is no such probe, or if this turn has sent enough.
    pub fn take(&mut self, now: Instant, is_free: impl Fn(u32) -> bool) -> Option<Probe> {
        self.left_of_turn = self.left_of_turn.checked_sub(1)?;
        let due = self.schedule.take(now, is_free)?;
        // A single exchange has to be over at `end`; a run leaves its probe unfinished.
        let end = self.end.filter(|_| self.report.is_none());
        self.under_way += 1;
        self.ledger.sent += 1;
        Some(self.aim.first(due, now, end))
    }

    /// Takes in the `outcome` of `probe` at the address that it went to. Returns the
    /// probe if it goes on to another address; otherwise the probe has ended.
    pub fn take_in(&mut self, probe: Probe, mut outcome: Outcome, now: Instant) -> Option<Probe> {
        outcome.resolve = self.destination.resolve();
        debug!("[*] {}: {outcome}", probe.address());
        if self.aim.goes_on(&probe, &outcome) {
            return Some(probe.go_on(outcome, now));
        }
        self.under_way -= 1;
        self.schedule.ended(probe.due, now);
        self.ended.push(probe.end(outcome));
        None
    }

    /// Takes in a datagram that no probe was waiting for, and reports it.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn stray(
        &mut self,
        stray: Stray,
        from: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), Failure> {
        self.report_ended()?;
        self.ledger.stray(stray.kind);
        let strays = self.ledger.strays();
        let report = self.report.as_mut();
        report.map_or(Ok(()), |report| report.stray(&stray, strays, from, local))
    }

    /// Enters and reports the probes that have ended. The loop calls this when it has
    /// nothing else to do: probes that are due must not wait for a slow reader.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn report_ended(&mut self) -> Result<(), Failure> {
        let Some(report) = &mut self.report else {
            return Ok(());
        };
        self.ended.drain(..).try_for_each(|ended| {
            let is_expected = report.is_expected(&ended);
            self.ledger.ended(&ended, is_expected);
            report.probe(&ended, is_expected)
        })
    }

    /// When the loop has to act next, apart from probes under way: a probe is due whose
    /// flow `is_free` to send it, the run ends, or progress is to be drawn.
    pub fn next_at(&self, is_free: impl Fn(u32) -> bool) -> Option<Instant> {
        let progress = self.report.as_ref().and_then(RunReport::next_at);
        [self.schedule.next_at(is_free), self.stops_at(), progress].into_iter().flatten().min()
    }

    /// When the run stops. A single exchange that is under way ends by itself.
    fn stops_at(&self) -> Option<Instant> {
        self.end.filter(|_| self.report.is_some() || self.under_way == 0)
    }

    /// Stops the run: no further probe is sent, and those under way stay unfinished.
    pub fn stop(&mut self) {
        self.schedule.stop();
        self.is_stopped = true;
    }

    /// Whether the run is over: stopped, or every probe has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_stopped || (self.under_way == 0 && self.schedule.is_empty())
    }

    /// What came of a single exchange. If the exchange waited for its port until its end,
    /// it was never sent.
    #[must_use]
    pub fn into_ended(mut self) -> Ended {
        let unsent = || Trouble::new(Verdict::NoReply, "no time was left for it");
        let ended = self.ended.pop().unwrap_or_else(|| Outcome::failed(None, unsent()).into());
        Ended { delay: None, ..ended }
    }

    /// Ends the run with its summary.
    ///
    /// # Errors
    /// More probes failed than may, or standard output takes no more.
    pub fn conclude(mut self, now: Instant) -> Result<(), Failure> {
        self.report_ended()?;
        let resolve = self.destination.resolve();
        self.report.map_or(Ok(()), |report| report.conclude(&self.ledger, resolve, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_however_many_probes_are_due_and_fail_at_once() {
        let start = Instant::now();
        let timeout = Duration::from_secs(5);
        let destination = Destination::new(vec!["192.0.2.1:7000".parse().unwrap()], timeout);
        let schedule = Schedule::new(start, Duration::from_millis(1), 1, u64::MAX);
        let mut run = Run::of(destination, schedule, Ledger::default());
        let now = start + Duration::from_secs(60);
        for _ in 0..3 {
            run.begin_turn(now);
            let mut sent = 0;
            while let Some(probe) = run.take(now, |_| true) {
                let trouble = Trouble::new(Verdict::Local, "no way");
                assert!(run.take_in(probe, Outcome::failed(None, trouble), now).is_none());
                sent += 1;
            }
            assert_eq!(sent, MOST_A_TURN);
            assert!(run.next_at(|_| true).unwrap() < now, "there is more to do at once");
        }
    }
}
