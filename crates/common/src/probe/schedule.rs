//! When probes are due, and which flow sends them.
//!
//! With an interval, a flow's probe `n` is due `n` intervals after the flow's start,
//! whatever becomes of the probes before it. The flows' starts are spread evenly over
//! the first interval. With an interval of zero, a flow's next probe is due when its
//! last one has ended: a closed loop.
//!
//! If this machine was held up, the probes that it should have sent meanwhile are skipped:
//! sent all at once, they would overrun a buffer, and that loss is not the network's. If a
//! flow had to wait for its port, its probes are sent later, one by one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A probe that is overdue by more than this is skipped.
const TOLERANCE: Duration = Duration::from_millis(250);

/// If more probes than this would be sent at once, fewer are: so many small datagrams fit into
/// the receive buffer of a socket, more than twice (`net.core.rmem_default`).
const MOST_AT_ONCE: u32 = 128;

/// A probe that is overdue by less than this is never skipped: such delays are usual.
const LEAST_TOLERANCE: Duration = Duration::from_millis(10);

/// A probe that was held up for longer than this counts as sent late. Probes that were sent
/// late are sent close together, so that their times are not the network's.
const LATE: Duration = Duration::from_millis(10);

/// The probes that are still to come.
#[derive(Debug)]
pub struct Schedule {
    /// The next probe of each flow that has one, the earliest first.
    pending: VecDeque<Pending>,
    interval: Duration,
    /// A probe that is overdue by more is skipped.
    tolerance: Duration,
    /// How many probes each flow sends.
    count: u64,
    /// How many probes have been taken so far, by all flows together.
    taken: u64,
    skipped: u64,
    held: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    flow: u32,
    /// Which of the flow's probes it is, from 0.
    nth: u64,
    at: Instant,
    /// Whether the flow was not free when the probe was due, or the probe before it.
    is_held: bool,
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
    /// Whether the probe had to wait for its flow, or for a port.
    pub(crate) is_held: bool,
    nth: u64,
}

impl Due {
    /// Whether the probe is late if it is sent at `now`, because this machine was held up.
    #[must_use]
    pub fn is_late(&self, now: Instant) -> bool {
        !self.is_held && now.saturating_duration_since(self.at) > LATE
    }
}

impl Schedule {
    /// A schedule of `count` probes from each of `flows` flows (at least one), every
    /// `interval` from `start` on.
    #[must_use]
    pub fn new(start: Instant, interval: Duration, flows: u32, count: u64) -> Self {
        let next = |flow| {
            let at = start + interval * flow / flows;
            Pending { flow, nth: 0, at, is_held: false }
        };
        let pending = (0..flows).map(next).filter(|_| count > 0).collect();
        let at_once = interval.saturating_mul(MOST_AT_ONCE) / flows;
        let tolerance = at_once.clamp(LEAST_TOLERANCE, TOLERANCE);
        Self { pending, interval, tolerance, count, taken: 0, skipped: 0, held: 0 }
    }

    /// When the next probe is due of a flow that `is_free` to send one.
    pub fn next_at(&self, is_free: &dyn Fn(u32) -> bool) -> Option<Instant> {
        self.pending.iter().find(|next| is_free(next.flow)).map(|next| next.at)
    }

    /// Takes the next probe that is due by `now` and whose flow `is_free` to send one.
    pub fn take(&mut self, now: Instant, is_free: &dyn Fn(u32) -> bool) -> Option<Due> {
        let mut due = self.pending.iter_mut().take_while(|next| next.at <= now);
        let found = due.position(|next| {
            let is_free = is_free(next.flow);
            next.is_held |= !is_free;
            is_free
        })?;
        let next = self.pending.remove(found)?;
        let overdue = now.saturating_duration_since(next.at);
        let skipped = self.to_skip(&next, overdue);
        if skipped > 0 {
            self.skipped += skipped;
            self.add(self.after(next, skipped));
            return self.take(now, is_free);
        }
        self.taken += 1;
        self.held += u64::from(next.is_held);
        if !self.interval.is_zero() {
            let after = self.after(next, 1);
            self.add(Pending { is_held: next.is_held && after.at <= now, ..after });
        }
        let Pending { flow, nth, at, is_held } = next;
        Some(Due { number: self.taken, flow, at, is_held, nth })
    }

    /// How many probes of a flow are skipped, from the `next` one on, which is `overdue`.
    fn to_skip(&self, next: &Pending, overdue: Duration) -> u64 {
        if next.is_held || self.interval.is_zero() || overdue <= self.tolerance {
            return 0;
        }
        let intervals = (overdue - self.tolerance).as_nanos().div_ceil(self.interval.as_nanos());
        u64::try_from(intervals).unwrap_or(u64::MAX).min(self.count - next.nth)
    }

    /// The flow's probe that is `later` places after `next`.
    fn after(&self, next: Pending, later: u64) -> Pending {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(later));
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Pending { nth: next.nth + later, at: next.at + wait, ..next }
    }

    /// Notes that the probe `due` ended at `now`. In a closed loop, the flow's next probe is
    /// due then.
    pub fn ended(&mut self, due: Due, now: Instant) {
        if self.interval.is_zero() {
            self.add(Pending { flow: due.flow, nth: due.nth + 1, at: now, is_held: false });
        }
    }

    fn add(&mut self, next: Pending) {
        if next.nth < self.count {
            // The place is the end, unless a flow was not free and has to catch up.
            let later = self.pending.iter().rev().take_while(|other| other.at > next.at);
            self.pending.insert(self.pending.len() - later.count(), next);
        }
    }

    /// Schedules one probe more than the count, due at `now`, of the first flow.
    pub fn add_one(&mut self, now: Instant) {
        // If one is still waiting for its port, it stands for this one, too.
        if self.pending.is_empty() {
            self.pending.push_back(Pending { flow: 0, nth: self.count, at: now, is_held: false });
        }
    }

    /// Takes all further probes off the schedule. Those that should have been sent by `now`, and
    /// long before, are skipped.
    pub fn stop(&mut self, now: Instant) {
        let overdue = |next: &Pending| now.saturating_duration_since(next.at);
        let skipped = self.pending.iter().map(|next| self.to_skip(next, overdue(next)));
        self.skipped += skipped.sum::<u64>();
        self.pending.clear();
        self.count = 0;
    }

    /// Notes that a probe that was taken has to wait for its port.
    pub fn hold(&mut self) {
        self.held += 1;
    }

    /// Whether no probe is scheduled. In a closed loop, a probe that is under way still
    /// schedules the next one when it ends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many probes were due and never sent, because this machine was held up.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many probes were sent later than they were due, because their flow had to wait for
    /// a port.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
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
        assert_eq!(taken(schedule.take(at(60), &|flow| flow == 1)), Some((1, at(50))));
        assert_eq!(taken(schedule.take(at(160), &|flow| flow == 1)), Some((1, at(150))));
        assert_eq!(schedule.next_at(&|flow| flow == 1), Some(at(250)));
        assert_eq!(schedule.next_at(&ANY), Some(at(0)));
        assert_eq!(taken(schedule.take(at(160), &ANY)), Some((0, at(0))), "held, and not skipped");
        assert_eq!(taken(schedule.take(at(160), &ANY)), Some((0, at(100))));
        assert_eq!(taken(schedule.take(at(160), &ANY)), None);
        assert_eq!((schedule.held(), schedule.skipped()), (2, 0));
    }

    #[test]
    fn after_a_stall_what_was_due_is_skipped_and_not_sent_at_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::new(start, Duration::from_millis(100), 1, 1000);
        assert!(!schedule.take(start, &ANY).unwrap().is_late(start));
        let stall = at(5_005);
        let sent: Vec<_> = std::iter::from_fn(|| schedule.take(stall, &ANY)).collect();
        let sent: Vec<_> = sent.iter().map(|due| (due.at, due.is_late(stall))).collect();
        assert_eq!(sent, [(at(4_800), true), (at(4_900), true), (at(5_000), false)]);
        assert_eq!((schedule.taken, schedule.skipped()), (4, 47));
    }

    #[test]
    fn no_more_are_sent_at_once_than_a_buffer_holds() {
        let start = Instant::now();
        for (flows, micros) in [(1, 1_000), (1, 100), (8, 1_000)] {
            let mut schedule = Schedule::new(start, Duration::from_micros(micros), flows, u64::MAX);
            let stall = start + Duration::from_secs(60);
            let sent = std::iter::from_fn(|| schedule.take(stall, &ANY)).count();
            assert!(sent <= MOST_AT_ONCE as usize + flows as usize, "{sent}, {flows}");
        }
    }

    #[test]
    fn an_extra_probe_that_waits_for_its_port_stands_for_those_after_it() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::ZERO, 1, 0);
        (0..3).for_each(|_| schedule.add_one(start));
        assert!(schedule.take(start, &ANY).is_some());
        assert_eq!(schedule.take(start, &ANY), None);
    }

    #[test]
    fn a_stall_until_after_the_end_leaves_nothing_to_send() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_millis(10), 2, 5);
        assert_eq!(schedule.take(start + Duration::from_secs(1), &ANY), None);
        assert!(schedule.is_empty());
        assert_eq!(schedule.skipped(), 10);

        let mut schedule = Schedule::new(start, Duration::from_millis(10), 1, 1000);
        schedule.stop(start + Duration::from_secs(1));
        assert!(schedule.is_empty());
        assert_eq!(schedule.skipped(), 75, "but for those of the last 250 ms");
    }

    #[test]
    fn without_an_interval_a_probe_is_due_when_the_last_one_has_ended() {
        let start = Instant::now();
        let later = start + Duration::from_millis(7);
        let mut schedule = Schedule::new(start, Duration::ZERO, 1, 2);
        let first = schedule.take(start, &ANY).unwrap();
        assert_eq!(schedule.take(later, &ANY), None);
        schedule.ended(first, later);
        let second = schedule.take(later, &ANY).unwrap();
        assert_eq!((second.number, second.at), (2, later));
        schedule.ended(second, later);
        assert!(schedule.is_empty());
    }

    proptest! {
        /// However late probes are taken, their due times stay the same, none is sent much
        /// later, and each is sent or skipped.
        #[test]
        fn due_times_are_absolute(
            flows in 1..9u32, count in 1..20u64, interval in 1..50u64,
            steps in prop::collection::vec(0..60u64, 1..200),
        ) {
            let start = Instant::now();
            let interval = Duration::from_millis(interval);
            let mut schedule = Schedule::new(start, interval, flows, count);
            let mut places = vec![0; flows as usize];
            let mut now = start;
            for step in steps {
                now += Duration::from_millis(step);
                while let Some(due) = schedule.take(now, &ANY) {
                    let place = &mut places[due.flow as usize];
                    prop_assert!(due.nth >= *place);
                    let nth = u32::try_from(due.nth).unwrap();
                    prop_assert_eq!(due.at, start + interval * due.flow / flows + interval * nth);
                    prop_assert!(due.at <= now && now <= due.at + TOLERANCE);
                    *place = due.nth + 1;
                }
                prop_assert!(schedule.next_at(&ANY).is_none_or(|at| at > now));
            }
            let next = |pending: &Pending| (pending.flow, pending.nth);
            let mut reached = vec![count; flows as usize];
            schedule.pending.iter().map(next).for_each(|(flow, nth)| reached[flow as usize] = nth);
            prop_assert_eq!(schedule.taken + schedule.skipped(), reached.iter().sum::<u64>());
        }
    }
}
