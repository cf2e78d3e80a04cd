//! A probe that goes to several addresses: a race, as in RFC 8305 (happy eyeballs).
//!
//! The addresses are tried in order. Each has a head start before the next, and goes on after
//! that until the probe's time is up. The first address to answer wins; over TCP, the first
//! one to connect.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::probe::aim::{Aim, Probe};
use crate::probe::outcome::{Ended, Other, Outcome};
use crate::probe::schedule::Due;

/// A probe on its way to several addresses.
#[derive(Debug)]
pub struct Race {
    aim: Aim,
    /// The probe to the first address, as it was before it was sent.
    first: Probe,
    /// When the probe's time is up; none before the probe is first sent.
    ends_at: Option<Instant>,
    /// The addresses that were tried, in order.
    lanes: Vec<Lane>,
    /// Which of them has won.
    winner: Option<usize>,
    /// When the next address is tried, if there is one left.
    next_at: Option<Instant>,
}

/// An address that was tried.
#[derive(Debug)]
struct Lane {
    begun: Instant,
    /// How long the probe was under way there; none if it still is.
    waited: Option<Duration>,
    /// What came of it; none before that, and if another address has won.
    outcome: Option<Outcome>,
}

impl Race {
    /// A race that begins with the probe to the `first` address.
    #[must_use]
    pub fn new(aim: Aim, first: Probe) -> Self {
        let lanes = vec![Lane { begun: first.begun, waited: None, outcome: None }];
        Self { aim, first, ends_at: None, lanes, winner: None, next_at: None }
    }

    /// When the next address is tried; none if none is left, or before that is known.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// The probe to the next address, which the loop takes at `now`; none if the time is up.
    pub fn next(&mut self, now: Instant) -> Option<Probe> {
        self.next_at = None;
        let lane = self.lanes.len();
        let is_over = self.ends_at.is_some_and(|end| end <= now);
        let address = *self.aim.addresses.get(lane).filter(|_| !is_over)?;
        self.lanes.push(Lane { begun: now, waited: None, outcome: None });
        let ends_at = self.ends_at.unwrap_or(self.first.ends_at);
        Some(Probe { address, lane, begun: now, ends_at, ..self.first })
    }

    /// Notes that `probe` is sent at `now`, by a call that has `returned`. The time of all addresses
    /// is counted from when the probe is first sent.
    pub fn begin(&mut self, probe: &mut Probe, now: Instant, returned: Instant) {
        probe.begin(now, returned);
        if probe.lane == 0 {
            // Perhaps the probe had to wait for its port.
            self.first.due = probe.due;
        }
        probe.ends_at = *self.ends_at.get_or_insert(probe.ends_at);
        self.lanes[probe.lane].begun = now;
        if self.is_one_left() {
            self.next_at = Some(now + self.aim.head_start);
        }
    }

    /// Notes that `probe` has won at `now`: the other addresses do not count any more. Returns
    /// whether the probe is under way to any of them; the caller gives those up.
    pub fn won(&mut self, probe: &Probe, now: Instant) -> bool {
        self.winner = Some(probe.lane);
        self.next_at = None;
        let rivals = self.lanes.iter_mut().enumerate();
        let rivals = rivals.filter(|(at, lane)| *at != probe.lane && lane.waited.is_none());
        let give_up = |lane: &mut Lane| {
            lane.waited = Some(now.saturating_duration_since(lane.begun));
        };
        rivals.map(|(_, lane)| give_up(lane)).count() > 0
    }

    /// Notes `outcome` of `probe`. If the probe is under way nowhere else and has no answer,
    /// the next address is tried at once.
    pub fn take_in(&mut self, probe: &Probe, outcome: Outcome, now: Instant) {
        let lane = &mut self.lanes[probe.lane];
        lane.waited = Some(now.saturating_duration_since(lane.begun));
        lane.outcome = Some(outcome);
        let is_over = self.ends_at.is_some_and(|end| end <= now);
        if is_over {
            self.next_at = None;
        } else if self.is_one_left() && !self.is_under_way() {
            self.next_at = Some(now);
        }
    }

    /// The probe's place in the schedule.
    #[must_use]
    pub fn due(&self) -> Due {
        self.first.due
    }

    /// Whether nothing more will come of any address.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.is_under_way() && self.next_at.is_none()
    }

    /// What came of the probe, whose race is over. The outcome at the address that has won
    /// counts, or else the one at the last address.
    #[must_use]
    pub fn end(mut self) -> Option<Ended> {
        let counts = self.winner.unwrap_or(self.lanes.len().checked_sub(1)?);
        // The head start of the first address is no delay of this machine's.
        let sent = self.lanes[0].begun;
        let is_sent_late = self.first.due.is_late(sent);
        let lane = self.lanes.remove(counts);
        let mut addresses = self.aim.addresses.to_vec();
        addresses.remove(counts);
        let other = |(lane, address): (Lane, SocketAddr)| Other {
            address,
            waited: lane.waited.unwrap_or_default(),
            trouble: lane.outcome.and_then(|outcome| outcome.result.err()),
        };
        let others = self.lanes.into_iter().zip(addresses).map(other).collect();
        let probe = Probe { begun: lane.begun, ..self.first };
        Some(Ended { others, sent: Some(sent), is_sent_late, ..probe.end(lane.outcome?) })
    }

    fn is_one_left(&self) -> bool {
        self.winner.is_none() && self.lanes.len() < self.aim.addresses.len()
    }

    fn is_under_way(&self) -> bool {
        self.lanes.iter().any(|lane| lane.waited.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::outcome::trouble::Trouble;
    use crate::probe::outcome::verdict::Verdict;
    use crate::probe::schedule::Schedule;

    const TIMEOUT: Duration = Duration::from_secs(6);

    fn race(start: Instant) -> (Race, Probe) {
        let addresses = ["[::1]:7000", "127.0.0.1:7000", "127.0.0.2:7000"];
        let aim = Aim::new(&addresses.map(|a| a.parse().unwrap()), TIMEOUT);
        let due = Schedule::new(start, Duration::ZERO, 1, 1).take(start, &|_| true).unwrap();
        let first = aim.probe(due, start, None).unwrap();
        (Race::new(aim, first), first)
    }

    fn refused(probe: &Probe) -> Outcome {
        Outcome::failed(Some(probe.address()), Trouble::new(Verdict::Refused, "refused"))
    }

    fn answered(probe: &Probe) -> Outcome {
        Outcome { result: Ok(Some(Vec::new())), ..refused(probe) }
    }

    #[test]
    fn an_address_has_a_head_start_and_goes_on_until_the_time_is_up() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut race, mut first) = race(start);
        race.begin(&mut first, at(1), at(1));
        assert_eq!(
            (first.ends_at(), first.limit()),
            (at(1) + TIMEOUT, TIMEOUT),
            "from its sending"
        );
        assert_eq!(race.next_at(), Some(at(251)));
        let mut second = race.next(at(251)).unwrap();
        race.begin(&mut second, at(252), at(252));
        assert_eq!((second.ends_at(), second.delay()), (first.ends_at(), at(252) - start));
        assert!(race.won(&second, at(300)), "the first address has to be given up");
        race.take_in(&second, answered(&second), at(310));
        assert!(race.is_over());
        let ended = race.end().unwrap();
        assert!(!ended.is_sent_late, "the first address was tried in time");
        let Other { address, waited, trouble } = &ended.others[0];
        assert_eq!((*address, *waited, trouble), (first.address(), at(300) - at(1), &None));
        assert_eq!((ended.others.len(), ended.last.address), (1, Some(second.address())));
    }

    #[test]
    fn a_probe_is_sent_late_if_it_was_to_its_first_address() {
        let start = Instant::now();
        let late = start + Duration::from_millis(11);
        for (is_held, is_late) in [(false, true), (true, false)] {
            let (mut race, mut first) = race(start);
            first.due.is_held = is_held;
            race.begin(&mut first, late, late);
            race.take_in(&first, answered(&first), late);
            assert_eq!(race.end().unwrap().is_sent_late, is_late);
        }
    }

    #[test]
    fn after_a_failure_the_next_address_is_tried_at_once() {
        let start = Instant::now();
        let later = start + Duration::from_millis(10);
        let (mut race, first) = race(start);
        let mut next = Some(first);
        while let Some(mut probe) = next {
            race.begin(&mut probe, start, start);
            assert!(!race.is_over());
            race.take_in(&probe, refused(&probe), later);
            next = race.next(later);
        }
        assert!(race.is_over());
        let ended = race.end().unwrap();
        assert_eq!(ended.last.address, Some("127.0.0.2:7000".parse().unwrap()));
        assert!(ended.others.iter().all(|other| other.trouble.is_some()));
    }

    #[test]
    fn no_address_is_tried_after_the_end() {
        let start = Instant::now();
        let (mut race, mut first) = race(start);
        race.begin(&mut first, start, start);
        race.take_in(&first, refused(&first), start + TIMEOUT);
        assert!(race.is_over());
    }
}
