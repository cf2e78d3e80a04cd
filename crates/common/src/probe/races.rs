//! The probes under way, and the races of those that go to several addresses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

use crate::probe::aim::{Aim, Probe};
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::race::Race;
use crate::probe::schedule::Due;

/// The probes under way.
#[derive(Debug, Default)]
pub struct Races {
    /// How many probes are under way, with a race or without.
    under_way: u64,
    /// By the probe's number. A probe that has one address to go to has no race.
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
    /// Whether no probe is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.under_way == 0
    }

    /// Adds `probe`, which goes to the first address of `aim`.
    pub fn add(&mut self, aim: &Aim, probe: Probe) {
        self.under_way += 1;
        if probe.is_in_race {
            self.races.insert(probe.number(), Race::new(aim.clone(), probe));
        }
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

    /// Notes that `probe` is sent at `now`, by a call that has `returned`.
    pub fn begin(&mut self, probe: &mut Probe, now: Instant, returned: Instant) {
        match self.races.get_mut(&probe.number()) {
            Some(race) => {
                race.begin(probe, now, returned);
                self.starts.extend(race.next_at().map(|at| Reverse((at, probe.number()))));
            }
            None => probe.begin(now, returned),
        }
    }

    /// Notes that `probe` has won at `now`. Returns whether it is under way to other addresses.
    pub fn won(&mut self, probe: &Probe, now: Instant) -> bool {
        self.races.get_mut(&probe.number()).is_some_and(|race| race.won(probe, now))
    }

    /// Takes in the `outcome` of `probe` at its address. Returns what came of the probe, if it
    /// has ended by this: what comes of an address after the race is over does not count.
    pub fn take_in(&mut self, probe: &Probe, outcome: Outcome, now: Instant) -> Option<Ended> {
        if !probe.is_in_race {
            self.under_way -= 1;
            return Some(probe.end(outcome));
        }
        let race = self.races.get_mut(&probe.number())?;
        race.take_in(probe, outcome, now);
        self.starts.extend(race.next_at().map(|at| Reverse((at, probe.number()))));
        self.ended(probe.number())
    }

    /// What came of the probe with this number, if its race is over.
    fn ended(&mut self, number: u64) -> Option<Ended> {
        if !self.races.get(&number)?.is_over() {
            return None;
        }
        self.under_way -= 1;
        self.races.remove(&number)?.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::outcome::trouble::Trouble;
    use crate::probe::schedule::Schedule;

    #[test]
    fn a_rival_that_was_not_given_up_ends_its_probe_no_second_time() {
        let (start, timeout) = (Instant::now(), Duration::from_millis(20));
        let addresses = ["[::1]:7000", "127.0.0.1:7000"].map(|a| a.parse().unwrap());
        let aim = Aim::new(&addresses, timeout);
        let due = Schedule::new(start, Duration::ZERO, 1, 1).take(start, &|_| true).unwrap();
        let mut first = aim.probe(due, start, None).unwrap();
        let mut races = Races::default();
        races.add(&aim, first);
        races.begin(&mut first, start, start);
        let Some(Next::Probe(mut second)) = races.next(start + timeout / 2) else {
            panic!("the second address is tried");
        };
        races.begin(&mut second, start + timeout / 2, start + timeout / 2);
        assert!(races.won(&second, start + timeout / 2));
        let answer = Outcome::of(Some(second.address()), Ok(Vec::new()));
        assert!(races.take_in(&second, answer, start + timeout / 2).is_some());
        let silence = Outcome::failed(Some(first.address()), Trouble::no_reply(timeout));
        assert_eq!(races.take_in(&first, silence, start + timeout), None);
        assert!(races.is_empty());
    }
}
