//! The probes under way that go to several addresses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

use crate::probe::aim::Probe;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::race::Race;
use crate::probe::schedule::Due;

/// The races under way. A probe without a race goes to one address alone.
#[derive(Debug, Default)]
pub struct Races {
    /// By the probe's number.
    races: BTreeMap<u64, Race>,
    /// When races go on to their next address, and their numbers. A race may be over by then,
    /// or have gone on before.
    starts: BinaryHeap<Reverse<(Instant, u64)>>,
}

/// What a race comes to when its next address is due.
#[derive(Debug)]
pub enum Next {
    /// A probe to that address.
    Probe(Probe),
    /// The end, because the time is up: the probe's place in the schedule, and what came of it.
    End(Due, Ended),
}

impl Races {
    /// Adds a race that begins with `probe`.
    pub fn add(&mut self, probe: &Probe, race: Race) {
        self.races.insert(probe.number(), race);
    }

    /// When a probe goes on to its next address. It may turn out by then that none does.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.starts.peek().map(|Reverse((at, _))| *at)
    }

    /// Goes on with the next race whose next address is due by `now`.
    pub fn next(&mut self, now: Instant) -> Option<Next> {
        while self.next_at()? <= now {
            let Reverse((at, number)) = self.starts.pop()?;
            let Some(race) = self.races.get_mut(&number).filter(|race| race.next_at() == Some(at))
            else {
                continue;
            };
            if let Some(probe) = race.next(now) {
                return Some(Next::Probe(probe));
            }
            let due = race.due();
            if let Some(ended) = self.ended(number) {
                return Some(Next::End(due, ended));
            }
        }
        None
    }

    /// Notes that `probe` is sent at `now`.
    pub fn begin(&mut self, probe: &mut Probe, now: Instant) {
        match self.races.get_mut(&probe.number()) {
            Some(race) => {
                race.begin(probe, now);
                self.starts.extend(race.next_at().map(|at| Reverse((at, probe.number()))));
            }
            None => probe.begin(now),
        }
    }

    /// Notes that `probe` has won at `now`. Returns whether it is under way to other addresses.
    pub fn won(&mut self, probe: &Probe, now: Instant) -> bool {
        self.races.get_mut(&probe.number()).is_some_and(|race| race.won(probe, now))
    }

    /// Takes in the `outcome` of `probe` at its address. Returns what came of the probe, if it
    /// has ended.
    pub fn take_in(&mut self, probe: &Probe, outcome: Outcome, now: Instant) -> Option<Ended> {
        let Some(race) = self.races.get_mut(&probe.number()) else {
            return Some(probe.end(outcome));
        };
        race.take_in(probe, outcome, now);
        self.starts.extend(race.next_at().map(|at| Reverse((at, probe.number()))));
        self.ended(probe.number())
    }

    /// What came of the probe with this number, if its race is over.
    fn ended(&mut self, number: u64) -> Option<Ended> {
        if !self.races.get(&number)?.is_over() {
            return None;
        }
        self.races.remove(&number)?.end()
    }
}
