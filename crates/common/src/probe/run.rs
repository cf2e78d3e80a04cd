//! The probes that a client's loop sends: a single exchange, or a run that is
//! measured and told of.
//!
//! It has no socket and reads no clock: the loop asks what is due, and says what
//! became of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::debug;

use crate::exit::Failure;
use crate::probe::aim::{Aim, Probe};
use crate::probe::destination::Destination;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Outcome, Outcomes};
use crate::probe::plan::{MOST_SOCKETS, Plan};
use crate::probe::report::Reporter;
use crate::probe::report::run_report::Telling;
use crate::probe::schedule::Schedule;
use crate::probe::source_port::Stray;

/// Probes that are sent in a turn of the loop. Those that fail at once hold no
/// socket: without an end to them, signals and the end would not be seen.
const MOST_A_TURN: usize = MOST_SOCKETS;

/// Probes of one target.
#[derive(Debug)]
pub struct Run {
    schedule: Schedule,
    left_of_turn: usize,
    aim: Aim,
    resolve: Option<Duration>,
    under_way: u64,
    is_stopped: bool,
    /// When it ends at the latest.
    end: Option<Instant>,
    /// None of a single exchange, which is told of by who asked for it.
    telling: Option<Telling>,
    /// What has ended and is not told of yet.
    ended: Vec<Ended>,
}

/// A probe that has ended.
#[derive(Debug)]
struct Ended {
    number: u64,
    delay: Duration,
    outcomes: Outcomes,
}

impl Run {
    /// A single exchange, which begins at `start` and ends at `end` at the latest.
    #[must_use]
    pub fn once(destination: &Destination, start: Instant, end: Option<Instant>) -> Self {
        Self { end, ..Self::of(destination, Schedule::new(start, Duration::ZERO, 1, 1)) }
    }

    /// A run as it is planned, which begins at `start`, and ends at `end` at the
    /// latest: that cuts no probe short, but leaves it unfinished.
    #[must_use]
    pub fn new(
        destination: &Destination,
        plan: Plan,
        reporter: Reporter,
        start: Instant,
        end: Option<Instant>,
    ) -> Self {
        let schedule = Schedule::new(start, plan.interval, plan.flows, plan.count);
        let telling = Some(Telling::new(reporter, plan, start, destination.resolve()));
        Self { end, telling, ..Self::of(destination, schedule) }
    }

    fn of(destination: &Destination, schedule: Schedule) -> Self {
        Self {
            schedule,
            left_of_turn: MOST_A_TURN,
            aim: Aim::new(destination.addresses(), destination.timeout()),
            resolve: destination.resolve(),
            under_way: 0,
            is_stopped: false,
            end: None,
            telling: None,
            ended: Vec::new(),
        }
    }

    /// When there is something to be done, but for probes under way: a probe is
    /// due of a flow that `is_free` to send it, or there is something to tell.
    pub fn next_at(&self, is_free: impl Fn(u32) -> bool) -> Option<Instant> {
        let telling = self.telling.as_ref().and_then(Telling::next_at);
        [self.schedule.next_at(is_free), self.stops_at(), telling].into_iter().flatten().min()
    }

    /// The next probe that is due, of a flow that `is_free` to send it; none where
    /// this turn has sent enough.
    pub fn take(&mut self, now: Instant, is_free: impl Fn(u32) -> bool) -> Option<Probe> {
        self.left_of_turn = self.left_of_turn.checked_sub(1)?;
        let due = self.schedule.take(now, is_free)?;
        // The end of a run leaves a probe unfinished; a single one has to be over.
        let end = self.end.filter(|_| self.telling.is_none());
        self.under_way += 1;
        if let Some(telling) = &mut self.telling {
            telling.ledger.sent += 1;
        }
        Some(self.aim.first(due, now, end))
    }

    /// `outcome` came of a probe: it goes on to another address, or has ended.
    pub fn ended(&mut self, probe: Probe, mut outcome: Outcome, now: Instant) -> Option<Probe> {
        outcome.resolve = self.resolve;
        debug!("[*] {}: {outcome}", probe.address());
        if self.aim.goes_on(&probe, &outcome) {
            return Some(probe.go_on(outcome, now));
        }
        self.under_way -= 1;
        self.schedule.ended(probe.due, now);
        let (number, delay) = (probe.due.number, probe.delay());
        self.ended.push(Ended { number, delay, outcomes: probe.end(outcome) });
        None
    }

    /// Tells of what has ended. To be called when nothing else is to be done: what
    /// is due is not to wait for who reads.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn tell(&mut self) -> Result<(), Failure> {
        let Some(telling) = &mut self.telling else {
            return Ok(());
        };
        let mut ended = self.ended.drain(..);
        ended.try_for_each(|it| telling.ended(it.number, it.delay, it.outcomes))
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
        self.tell()?;
        self.telling.as_mut().map_or(Ok(()), |telling| telling.stray(stray, from, local))
    }

    /// Time has passed: a turn of the loop begins.
    pub fn tick(&mut self, now: Instant) {
        self.left_of_turn = MOST_A_TURN;
        if self.stops_at().is_some_and(|end| end <= now) {
            self.stop();
        }
        if let Some(telling) = &mut self.telling {
            telling.tick(now);
        }
    }

    /// When it stops, whatever is under way; but a single probe that is ends then by
    /// itself.
    fn stops_at(&self) -> Option<Instant> {
        self.end.filter(|_| self.telling.is_some() || self.under_way == 0)
    }

    /// No more: what is under way stays unfinished.
    pub fn stop(&mut self) {
        self.schedule.stop();
        self.is_stopped = true;
    }

    /// Whether all has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_stopped || (self.under_way == 0 && self.schedule.is_empty())
    }

    /// Whether each flow is to keep its source port.
    #[must_use]
    pub fn keeps_ports(&self) -> bool {
        self.telling.as_ref().is_some_and(Telling::has_flows)
    }

    /// What came of a single exchange. (Nothing where it has waited for its port
    /// until its end.)
    #[must_use]
    pub fn into_outcomes(mut self) -> Outcomes {
        let unfinished = || Trouble::new(Verdict::NoReply, "no time was left for it");
        let last = self.ended.pop().map(|ended| ended.outcomes);
        last.unwrap_or_else(|| Outcome::failed(None, unfinished()).into())
    }

    /// Tells what it came to.
    ///
    /// # Errors
    /// More failed than may; or standard output takes no more.
    pub fn conclude(mut self, now: Instant) -> Result<(), Failure> {
        self.tell()?;
        self.telling.map_or(Ok(()), |telling| telling.conclude(now))
    }
}

#[cfg(test)]
#[path = "scenarios.rs"]
mod scenarios;

#[cfg(test)]
mod tests {
    use super::*;

    /// However many are due, and fail at once.
    #[test]
    fn a_turn_has_an_end() {
        let start = Instant::now();
        let destination = Destination {
            addresses: vec!["192.0.2.1:7000".parse().unwrap()],
            sources: Vec::new(),
            timeout: Duration::from_secs(5),
            resolve: None,
        };
        let schedule = Schedule::new(start, Duration::from_millis(1), 1, u64::MAX);
        let mut run = Run::of(&destination, schedule);
        let now = start + Duration::from_secs(60);
        for _ in 0..3 {
            run.tick(now);
            let mut sent = 0;
            while let Some(probe) = run.take(now, |_| true) {
                let trouble = Trouble::new(Verdict::Local, "no way");
                assert!(run.ended(probe, Outcome::failed(None, trouble), now).is_none());
                sent += 1;
            }
            assert_eq!(sent, MOST_A_TURN);
            assert!(run.next_at(|_| true).unwrap() < now, "there is more to do at once");
        }
    }
}
