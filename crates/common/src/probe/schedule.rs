//! When probes are due, and which flow sends them.
//!
//! With an interval, a flow's probe `n` is due `n` intervals after the flow's start,
//! whatever becomes of the probes before it. The flows' starts are spread evenly over
//! the first interval. With an interval of zero, a flow's next probe is due when its
//! last one has ended: a closed loop.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The probes that are still to come.
#[derive(Debug)]
pub struct Schedule {
    /// The next probe of each flow that has one, the earliest first.
    pending: VecDeque<Pending>,
    interval: Duration,
    /// How many probes each flow sends.
    count: u64,
    /// How many probes have been taken so far, by all flows together.
    taken: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    flow: u32,
    /// Which of the flow's probes it is, from 0.
    nth: u64,
    at: Instant,
}

/// A probe that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which of the run's probes it is, from 1.
    pub number: u64,
    /// Which flow sends it, from 0.
    pub flow: u32,
    /// The time at which the probe became due.
    pub at: Instant,
    nth: u64,
}

impl Schedule {
    /// A schedule of `count` probes from each of `flows` flows (at least one), every
    /// `interval` from `start` on.
    #[must_use]
    pub fn new(start: Instant, interval: Duration, flows: u32, count: u64) -> Self {
        let next = |flow| Pending { flow, nth: 0, at: start + interval * flow / flows };
        let pending = (0..flows).map(next).filter(|_| count > 0).collect();
        Self { pending, interval, count, taken: 0 }
    }

    /// When the next probe is due of a flow that `is_free` to send one.
    pub fn next_at(&self, is_free: impl Fn(u32) -> bool) -> Option<Instant> {
        self.pending.iter().find(|next| is_free(next.flow)).map(|next| next.at)
    }

    /// Takes the next probe that is due by `now` and whose flow `is_free` to send one.
    pub fn take(&mut self, now: Instant, is_free: impl Fn(u32) -> bool) -> Option<Due> {
        let mut due = self.pending.iter().take_while(|next| next.at <= now);
        let found = due.position(|next| is_free(next.flow))?;
        let Pending { flow, nth, at } = self.pending.remove(found)?;
        self.taken += 1;
        if !self.interval.is_zero() {
            self.add(Pending { flow, nth: nth + 1, at: at + self.interval });
        }
        Some(Due { number: self.taken, flow, at, nth })
    }

    /// Notes that the probe `due` ended at `now`. In a closed loop, the flow's next probe is
    /// due then.
    pub fn ended(&mut self, due: Due, now: Instant) {
        if self.interval.is_zero() {
            self.add(Pending { flow: due.flow, nth: due.nth + 1, at: now });
        }
    }

    fn add(&mut self, next: Pending) {
        if next.nth < self.count {
            // The place is the end, unless a flow was not free and has to catch up.
            let place = self.pending.partition_point(|other| other.at <= next.at);
            self.pending.insert(place, next);
        }
    }

    /// Takes all further probes off the schedule.
    pub fn stop(&mut self) {
        self.pending.clear();
        self.count = 0;
    }

    /// Whether no probe is scheduled. In a closed loop, a probe that is under way still
    /// schedules the next one when it ends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY: fn(u32) -> bool = |_| true;

    #[test]
    fn a_flow_that_is_not_free_catches_up_and_holds_up_nobody() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::new(start, Duration::from_millis(100), 2, 3);
        let taken = |due: Option<Due>| due.map(|due| (due.flow, due.at));
        assert_eq!(taken(schedule.take(at(160), |flow| flow == 1)), Some((1, at(50))));
        assert_eq!(taken(schedule.take(at(160), |flow| flow == 1)), Some((1, at(150))));
        assert_eq!(schedule.next_at(|flow| flow == 1), Some(at(250)));
        assert_eq!(schedule.next_at(ANY), Some(at(0)));
        assert_eq!(taken(schedule.take(at(160), ANY)), Some((0, at(0))));
        assert_eq!(taken(schedule.take(at(160), ANY)), Some((0, at(100))));
        assert_eq!(taken(schedule.take(at(160), ANY)), None);
    }

    #[test]
    fn without_an_interval_a_probe_is_due_when_the_last_one_has_ended() {
        let start = Instant::now();
        let later = start + Duration::from_millis(7);
        let mut schedule = Schedule::new(start, Duration::ZERO, 1, 2);
        let first = schedule.take(start, ANY).unwrap();
        assert_eq!(schedule.take(later, ANY), None);
        schedule.ended(first, later);
        let second = schedule.take(later, ANY).unwrap();
        assert_eq!((second.number, second.at), (2, later));
        schedule.ended(second, later);
        assert!(schedule.is_empty());
    }

    proptest! {
        /// However late probes are taken, their due times stay the same.
        #[test]
        fn due_times_are_absolute(
            flows in 1..9u32, count in 1..20u64, interval in 1..50u64,
            steps in prop::collection::vec(0..60u64, 1..200),
        ) {
            let start = Instant::now();
            let interval = Duration::from_millis(interval);
            let mut schedule = Schedule::new(start, interval, flows, count);
            let mut sent = vec![0; flows as usize];
            let mut now = start;
            for step in steps {
                now += Duration::from_millis(step);
                while let Some(due) = schedule.take(now, ANY) {
                    let nth = &mut sent[due.flow as usize];
                    prop_assert_eq!(due.at, start + interval * due.flow / flows + interval * *nth);
                    prop_assert!(due.at <= now);
                    *nth += 1;
                }
                prop_assert!(schedule.next_at(ANY).is_none_or(|at| at > now));
            }
            prop_assert!(sent.iter().all(|&nth| u64::from(nth) <= count));
            prop_assert_eq!(schedule.taken, sent.iter().map(|&nth| u64::from(nth)).sum::<u64>());
        }
    }
}
