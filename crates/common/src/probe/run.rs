//! The probes that a client's loop sends: a single exchange, or a run that is
//! measured and told of.
//!
//! It has no socket and reads no clock: the loop asks what is due, and says what
//! became of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::debug;

use crate::destination::Destination;
use crate::exit::Failure;
use crate::probe::aim::{Aim, Probe};
use crate::probe::ledger::Ended;
use crate::probe::outcome::Outcome;
use crate::probe::probing::Plan;
use crate::probe::report::Reporter;
use crate::probe::schedule::Schedule;
use crate::probe::source_port::Stray;
use crate::probe::telling::Telling;
use crate::probe::trouble::Trouble;

/// Probes of one target.
#[derive(Debug)]
pub struct Run {
    schedule: Schedule,
    aim: Aim,
    resolve: Option<Duration>,
    under_way: u64,
    is_stopped: bool,
    /// When it ends at the latest.
    end: Option<Instant>,
    /// None of a single exchange, which is told of by who asked for it.
    telling: Option<Telling>,
    /// What came of the probe that ended last.
    outcomes: Vec<Outcome>,
}

impl Run {
    /// A single exchange, which begins at `start`.
    #[must_use]
    pub fn once(destination: &Destination, start: Instant) -> Self {
        Self::of(destination, Schedule::new(start, Default::default(), 1, 1))
    }

    /// A run as it is planned, which begins at `start` and ends at `end` at the
    /// latest.
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
        let addresses = destination.addresses().map(<[_]>::to_vec).unwrap_or_default();
        let aim = Aim::new(addresses, destination.timeout());
        // There is no address to go to, or none to go from: an outcome, too.
        let nowhere = |trouble: &Trouble| vec![Outcome::failed(None, trouble.clone())];
        let outcomes = destination.addresses().map_or_else(nowhere, |_| Vec::new());
        let resolve = destination.resolve();
        let (under_way, is_stopped) = (0, destination.addresses().is_err());
        Self { schedule, aim, resolve, under_way, is_stopped, end: None, telling: None, outcomes }
    }

    /// When there is something to be done, but for probes under way: a probe is
    /// due of a flow that `is_free` to send it, or there is something to tell.
    pub fn next_at(&self, is_free: impl Fn(u32) -> bool) -> Option<Instant> {
        let telling = self.telling.as_ref().and_then(Telling::next_at);
        [self.schedule.next_at(is_free), self.end, telling].into_iter().flatten().min()
    }

    /// The next probe that is due, of a flow that `is_free` to send it.
    pub fn take(&mut self, now: Instant, is_free: impl Fn(u32) -> bool) -> Option<Probe> {
        let due = self.schedule.take(now, is_free)?;
        let probe = self.aim.first(due, now)?;
        self.under_way += 1;
        if let Some(telling) = &mut self.telling {
            telling.ledger.sent += 1;
        }
        Some(probe)
    }

    /// `outcome` came of a probe: it goes on to another address, or has ended.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn ended(
        &mut self,
        probe: Probe,
        mut outcome: Outcome,
        now: Instant,
    ) -> Result<Option<Probe>, Failure> {
        outcome.resolve = self.resolve;
        debug!("[*] {}: {outcome}", probe.address);
        let ended = Ended::new(&probe, outcome.clone());
        let due = probe.due;
        let outcomes = match self.aim.next(probe, outcome, now) {
            Ok(next) => return Ok(Some(next)),
            Err(outcomes) => outcomes,
        };
        self.under_way -= 1;
        self.schedule.ended(due, now);
        match &mut self.telling {
            Some(telling) => telling.ended(ended, outcomes)?,
            None => self.outcomes = outcomes,
        }
        Ok(None)
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
        self.telling.as_mut().map_or(Ok(()), |telling| telling.stray(stray, from, local))
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        if self.end.is_some_and(|end| end <= now) {
            self.stop();
        }
        if let Some(telling) = &mut self.telling {
            telling.tick(now);
        }
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

    /// What came of the addresses that a single exchange has tried.
    #[must_use]
    pub fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes
    }

    /// Tells what it came to.
    ///
    /// # Errors
    /// More failed than may; or standard output takes no more.
    pub fn conclude(self, now: Instant) -> Result<(), Failure> {
        let Some(telling) = self.telling else {
            return Ok(());
        };
        // There was nowhere to go.
        if !self.outcomes.is_empty() {
            return telling.reporter.tell(&self.outcomes);
        }
        telling.conclude(now)
    }
}
