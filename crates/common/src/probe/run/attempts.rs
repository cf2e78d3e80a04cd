//! Exchanges that are not measured: a single one, or those of `--wait`.

use std::time::{Duration, Instant};

use super::Run;
use crate::probe::destination::Destination;
use crate::probe::examination::Wanted;
use crate::probe::ledger::Ledger;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::schedule::Schedule;

impl Run {
    /// A single exchange, which begins at `start`, ends at `end` at the latest, and is examined as
    /// `wanted` says.
    #[must_use]
    pub fn once(
        destination: Destination,
        start: Instant,
        end: Option<Instant>,
        wanted: Option<Wanted>,
    ) -> Self {
        let schedule = Schedule::new(start, Duration::ZERO, 1, 1);
        Self { end, ..Self::of(destination, schedule, Ledger::new(false), wanted) }
    }

    /// Exchanges, one after each call of [`Run::attempt`]. They end at `end` at the latest. One that
    /// [`Run::examine`] names is examined as `wanted` says.
    #[must_use]
    pub fn again(
        destination: Destination,
        start: Instant,
        end: Option<Instant>,
        wanted: Option<Wanted>,
    ) -> Self {
        let schedule = Schedule::new(start, Duration::ZERO, 1, 0);
        Self { end, ..Self::of(destination, schedule, Ledger::new(false), wanted) }
    }

    /// What came of a single exchange. If the exchange waited for its port until its end,
    /// it was never sent.
    #[must_use]
    pub fn into_ended(mut self) -> Ended {
        let unsent = || Trouble::new(Verdict::NoReply, "no time was left for it");
        self.take_ended().unwrap_or_else(|| Outcome::failed(None, unsent()).into())
    }

    /// An exchange that has ended, if there is one.
    pub fn take_ended(&mut self) -> Option<Ended> {
        let first = self.ended.pop_front().or_else(|| self.held.take())?;
        Some(Ended { delay: None, ..first })
    }

    /// Makes one more exchange, at `now`, if there is an address to go to. Others may be under
    /// way. The loop comes back as soon as any of them has ended, and at `pause` at the latest.
    pub fn attempt(&mut self, now: Instant, pause: Instant) {
        if !self.destination.addresses().is_empty() {
            self.schedule.add_one(now);
        }
        (self.pause, self.is_stopped) = (Some(pause), false);
    }

    /// Goes to `destination` from now on.
    pub fn go_to(&mut self, destination: Destination) {
        self.aim = destination.aim();
        self.destination = destination;
    }
}
