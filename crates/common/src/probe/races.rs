//! The probes that are under way, each a race over the target's addresses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

use crate::probe::outcome::{Ended, Outcome};
use crate::probe::race::{Probe, Race};
use crate::probe::schedule::Due;

/// The probes under way.
#[derive(Debug, Default)]
pub struct Races {
    /// By number.
    races: BTreeMap<u64, Race>,
    /// When races go on to their next address, and their numbers. A race may be over by then,
    /// or have gone on before.
    starts: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Races that are over.
    over: Vec<(Due, Ended)>,
}

impl Races {
    /// Whether no probe is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.races.is_empty()
    }

    /// Begins `race` for a probe that the loop takes at `now`: the probe to the first address.
    pub fn add(&mut self, mut race: Race, now: Instant) -> Option<Probe> {
        let probe = race.next(now)?;
        self.races.insert(probe.number(), race);
        Some(probe)
    }

    /// When a probe goes on to its next address. It may turn out by then that none does.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.starts.peek().map(|Reverse((at, _))| *at)
    }

    /// The next probe that goes on to its next address by `now`.
    pub fn next(&mut self, now: Instant) -> Option<Probe> {
        while self.next_at()? <= now {
            let Reverse((at, number)) = self.starts.pop()?;
            let race = self.races.get_mut(&number).filter(|race| race.next_at() == Some(at));
            if let Some(probe) = race.and_then(|race| race.next(now)) {
                return Some(probe);
            }
            self.end(number);
        }
        None
    }

    /// Notes that `probe` is sent at `now`.
    pub fn begin(&mut self, probe: &mut Probe, now: Instant) {
        if let Some(race) = self.races.get_mut(&probe.number()) {
            race.begin(probe, now);
            self.starts.extend(race.next_at().map(|at| Reverse((at, probe.number()))));
        }
    }

    /// Notes that `probe` has won at `now`. Returns whether it is under way to other addresses.
    pub fn won(&mut self, probe: &Probe, now: Instant) -> bool {
        self.races.get_mut(&probe.number()).is_some_and(|race| race.won(probe, now))
    }

    /// Takes in the `outcome` of `probe` at its address.
    pub fn take_in(&mut self, probe: &Probe, outcome: Outcome, now: Instant) {
        if let Some(race) = self.races.get_mut(&probe.number()) {
            race.take_in(probe, outcome, now);
            self.starts.extend(race.next_at().map(|at| Reverse((at, probe.number()))));
            self.end(probe.number());
        }
    }

    /// The next race that is over: the probe's place in the schedule, and what came of it.
    pub fn take_over(&mut self) -> Option<(Due, Ended)> {
        self.over.pop()
    }

    /// Ends the race with this number, if it is over.
    fn end(&mut self, number: u64) {
        if self.races.get(&number).is_some_and(Race::is_over)
            && let Some(race) = self.races.remove(&number)
        {
            let due = race.due();
            self.over.extend(race.end().map(|ended| (due, ended)));
        }
    }
}
