//! The periods of a run (`--every`): each is a ledger of its own.
//!
//! What has ended, and what has come unasked, is entered here beside the run's ledger. What the
//! run only counts (the probes sent, skipped, held) is a period's by difference. So the counts of
//! all periods add up to the run's. Periods end at fixed times. If this machine was stopped
//! meanwhile, a period is longer, and the next one ends at the next of those times.

use std::mem;
use std::time::{Duration, Instant};

use crate::probe::ledger::Ledger;
use crate::probe::outcome::Ended;
use crate::probe::stray::{Kind, Stray};

/// The periods of a run.
#[derive(Debug)]
pub struct Periods {
    every: Duration,
    /// When the run began.
    start: Instant,
    /// When the period began, and when it ends.
    begun: Instant,
    ends_at: Instant,
    /// Which period it is, from 1.
    number: u64,
    ledger: Box<Ledger>,
    /// The run's counts when the period began.
    before: Counts,
    /// The last probe that ended in silence, and the last one that did before the period.
    silent: u64,
    silent_before: u64,
}

/// What the run only counts: the probes sent, skipped, held, and those that left their port.
type Counts = [u64; 4];

/// A period that is over.
#[derive(Debug)]
pub struct Period {
    /// Which period it is, from 1.
    pub number: u64,
    /// What became of the probes in it.
    pub ledger: Box<Ledger>,
    /// How long it was.
    pub elapsed: Duration,
}

impl Periods {
    /// Periods that end `every` so often after `start`. Their ledgers begin as `empty`.
    #[must_use]
    pub fn new(every: Duration, start: Instant, empty: Ledger) -> Self {
        Self {
            every,
            start,
            begun: start,
            ends_at: start + every,
            number: 1,
            ledger: Box::new(empty),
            before: Counts::default(),
            silent: 0,
            silent_before: 0,
        }
    }

    /// When the period ends.
    #[must_use]
    pub fn ends_at(&self) -> Instant {
        self.ends_at
    }

    /// Enters a probe that has ended.
    pub fn ended(&mut self, ended: &Ended, is_expected: bool) {
        self.ledger.ended(ended, is_expected);
        if ended.last.is_silence() {
            self.silent = self.silent.max(ended.number);
        }
    }

    /// Enters a datagram that no probe was waiting for. Probes end in silence in the order in which
    /// they were sent: so the number says whether a late reply belongs to a period before.
    pub fn stray(&mut self, stray: &Stray) {
        self.ledger.stray(stray.kind);
        let is_of_before = stray.kind == Kind::Late && stray.number <= self.silent_before;
        self.ledger.late_of_before += u64::from(is_of_before);
    }

    /// Ends the period at `now`, and begins the next one, unless it `is_last`. `run` has the counts
    /// of the whole run. Outages and jitter follow from the order of the probes: what has ended
    /// before one with a lower number counts in the period in which that one ends.
    pub fn end(&mut self, run: &Ledger, now: Instant, is_last: bool) -> Period {
        let mut next = Box::new(Ledger::new(self.ledger.ports.is_some()));
        next.uses_ports_again = run.uses_ports_again;
        let mut ledger = mem::replace(&mut self.ledger, next);
        if !is_last {
            self.ledger.succession = ledger.succession.split();
        }
        let counts = [run.sent, run.skipped, run.held, run.left_port];
        let before = mem::replace(&mut self.before, counts);
        let own = |at: usize| counts[at] - before[at];
        (ledger.sent, ledger.skipped) = (own(0), own(1));
        (ledger.held, ledger.left_port) = (own(2), own(3));
        self.ledger.carried = ledger.unfinished();
        self.silent_before = self.silent;
        let elapsed = now.saturating_duration_since(self.begun);
        let number = self.number;
        self.number += 1;
        (self.begun, self.ends_at) = (now, self.next_end(now));
        Period { number, ledger, elapsed }
    }

    /// The first of the fixed times after `now`.
    fn next_end(&self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.start).as_nanos();
        let every = self.every.as_nanos();
        let next = (passed / every + 1).saturating_mul(every);
        self.start + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use proptest::prelude::*;

    use super::*;
    use crate::probe::outcome::Outcome;
    use crate::probe::outcome::trouble::Trouble;
    use crate::probe::outcome::verdict::Verdict;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn silent(number: u64) -> Ended {
        Ended { number, ..Outcome::failed(None, Trouble::no_reply(ms(1))).into() }
    }

    #[test]
    fn periods_end_at_fixed_times_however_late_their_end_is_seen() {
        let start = Instant::now();
        let mut periods = Periods::new(ms(100), start, Ledger::default());
        let run = Ledger::default();
        for (now, number, elapsed, next) in [
            (100, 1, 100, 200),
            (203, 2, 103, 300),
            (300, 3, 97, 400),
            // It was stopped.
            (1050, 4, 750, 1100),
            (1100, 5, 50, 1200),
        ] {
            let over = periods.end(&run, start + ms(now), false);
            assert_eq!((over.number, over.elapsed), (number, ms(elapsed)));
            assert_eq!(periods.ends_at(), start + ms(next));
        }
    }

    #[test]
    fn what_is_out_at_the_end_of_a_period_is_unfinished_there_and_ends_in_the_next() {
        let start = Instant::now();
        let mut periods = Periods::new(ms(100), start, Ledger::default());
        let mut run = Ledger { sent: 3, ..Ledger::default() };
        periods.ended(&silent(1), false);
        let first = periods.end(&run, start + ms(100), false).ledger;
        assert_eq!((first.sent, first.lost(), first.unfinished()), (3, 1, 2));
        run.sent = 4;
        (2..=4).for_each(|number| periods.ended(&silent(number), false));
        let second = periods.end(&run, start + ms(200), true).ledger;
        assert_eq!((second.sent, second.lost(), second.unfinished()), (1, 3, 0));
    }

    #[test]
    fn a_late_reply_of_a_probe_that_ended_in_an_earlier_period_makes_no_loss_of_this_one_good() {
        let start = Instant::now();
        let late = |number| Stray { kind: Kind::Late, number, after: ms(150) };
        let mut periods = Periods::new(ms(100), start, Ledger::default());
        let run = Ledger { sent: 3, ..Ledger::default() };
        periods.ended(&silent(1), false);
        let first = periods.end(&run, start + ms(100), false).ledger;
        assert_eq!((first.lost(), first.late), (1, 0));
        (2..=3).for_each(|number| periods.ended(&silent(number), false));
        periods.stray(&late(1));
        periods.stray(&late(3));
        let second = periods.end(&run, start + ms(200), true).ledger;
        assert_eq!((second.lost(), second.late), (1, 2));
    }

    /// What happens in a run.
    #[derive(Clone, Debug)]
    enum Event {
        Sent,
        Ended(Verdict),
        Skipped(u64),
        Late,
        EndOfPeriod,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => Just(Event::Sent),
            3 => prop::sample::select(Verdict::ALL.to_vec()).prop_map(Event::Ended),
            1 => (0..5_u64).prop_map(Event::Skipped),
            1 => Just(Event::Late),
            1 => Just(Event::EndOfPeriod),
        ]
    }

    proptest! {
        #[test]
        fn the_periods_add_up_to_the_run(events in prop::collection::vec(event(), 0..300)) {
            let mut now = Instant::now();
            let mut periods = Periods::new(ms(10), now, Ledger::default());
            let (mut run, mut over, mut number) = (Ledger::default(), Vec::new(), 0);
            for event in events.into_iter().chain(iter::once(Event::EndOfPeriod)) {
                match event {
                    Event::Sent => run.sent += 1,
                    Event::Skipped(more) => run.skipped += more,
                    Event::Ended(_) if run.unfinished() == 0 => {}
                    Event::Ended(verdict) => {
                        number += 1;
                        let result = match verdict {
                            Verdict::Ok => Ok(Vec::new()),
                            Verdict::NoReply => Err(Trouble::no_reply(ms(1))),
                            other => Err(Trouble::new(other, "why")),
                        };
                        let last = Outcome { reply: Some(ms(number)), ..Outcome::of(None, result) };
                        let ended = Ended { number, ..last.into() };
                        periods.ended(&ended, verdict == Verdict::Ok);
                        run.ended(&ended, verdict == Verdict::Ok);
                    }
                    Event::Late => {
                        let stray = Stray { kind: Kind::Late, number: number / 2, after: ms(1) };
                        periods.stray(&stray);
                        run.stray(stray.kind);
                    }
                    Event::EndOfPeriod => {
                        now += ms(10);
                        let period = periods.end(&run, now, false).ledger;
                        prop_assert_eq!(period.unfinished(), run.unfinished());
                        over.push(period);
                    }
                }
            }
            let sum = |count: fn(&Ledger) -> u64| over.iter().map(|each| count(each)).sum::<u64>();
            prop_assert_eq!(sum(|each| each.sent), run.sent);
            prop_assert_eq!(sum(|each| each.skipped), run.skipped);
            prop_assert_eq!(sum(|each| each.failed), run.failed);
            prop_assert_eq!(sum(|each| each.late), run.late);
            prop_assert_eq!(sum(|each| each.reply.samples()), run.reply.samples());
            for verdict in Verdict::ALL {
                let count = over.iter().map(|each| each.count(verdict)).sum::<u64>();
                prop_assert_eq!(count, run.count(verdict));
            }
        }
    }
}
