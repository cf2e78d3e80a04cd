//! When datagrams came from one port, in a few words of memory: as bursts, between which the
//! longest pauses are. A client uses a port for a while, and another one may have used it before:
//! between the two there is a pause, so that each can be told of its own datagrams alone.

/// How many bursts are kept: enough to tell a run from those before it, with some pauses in it.
const MOST: usize = 4;

/// When datagrams came. All times are nanoseconds from the start of the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bursts {
    /// In the order of time.
    kept: [Burst; MOST],
    used: usize,
}

/// Datagrams that came one after another.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    first: u64,
    last: u64,
    count: u32,
    /// Whether the server did not answer some of them.
    withheld: bool,
}

impl Bursts {
    /// Enters a datagram that came at the time `at`. If there are too many bursts then, two become
    /// one: those with the shortest pause between them, where each older pause counts half as much
    /// as the next one. Whoever asks does so of the time just past.
    pub fn note(&mut self, withheld: bool, at: u64) {
        let burst = Burst { first: at, last: at, count: 1, withheld };
        if let Some(free) = self.kept.get_mut(self.used) {
            *free = burst;
            self.used += 1;
            return;
        }
        let next = |n: usize| self.kept.get(n + 1).unwrap_or(&burst).first;
        let pause = |n: usize| next(n).saturating_sub(self.kept[n].last) >> (MOST - 1 - n);
        let shortest = (0..MOST).min_by_key(|n| pause(*n)).unwrap_or_default();
        let [_, .., last] = &mut self.kept;
        if shortest == MOST - 1 {
            return last.join(burst);
        }
        let later = self.kept[shortest + 1];
        self.kept[shortest].join(later);
        self.kept.copy_within(shortest + 2.., shortest + 1);
        self.kept[MOST - 1] = burst;
    }

    /// When the last one came, if any did.
    pub fn last(&self) -> Option<u64> {
        self.kept[..self.used].last().map(|burst| burst.last)
    }

    /// How many datagrams came at the time `from` or later, and when the first of them did. None if
    /// that cannot be said: a burst began before, or the server did not answer.
    pub fn since(&self, from: u64) -> Option<(u64, Option<u64>)> {
        let (mut count, mut first) = (0, None);
        for burst in self.kept[..self.used].iter().filter(|burst| burst.last >= from) {
            count += u64::from(burst.count);
            first = first.or(Some(burst.first));
            if burst.first < from || burst.withheld {
                return None;
            }
        }
        Some((count, first))
    }
}

impl Burst {
    fn join(&mut self, later: Self) {
        self.last = later.last;
        self.count = self.count.saturating_add(later.count);
        self.withheld |= later.withheld;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the last of several runs, of each of which `count` datagrams came, each after
    /// the `interval`. Between two runs there is a `pause`.
    fn of_the_last(runs: u64, count: u64, interval: u64, pause: u64) -> Option<u64> {
        let ms = |ms: u64| ms * 1_000_000;
        let (mut bursts, mut now, mut begun) = (Bursts::default(), 0, 0);
        for _ in 0..runs {
            begun = now;
            for _ in 0..count {
                bursts.note(false, ms(now));
                now += interval;
            }
            now += pause;
        }
        bursts.since(ms(begun)).map(|(count, _)| count)
    }

    #[test]
    fn runs_from_one_port_are_told_apart() {
        for (runs, count, interval, pause) in [
            (1, 1, 0, 0),
            (1, 10_000, 10, 0),
            (2, 1, 0, 50),
            (100, 3, 1000, 10_000),
            (100, 60, 1000, 10_000),
            (1000, 50, 20, 1000),
            (5, 10, 10_000, 60_000),
        ] {
            let said = of_the_last(runs, count, interval, pause);
            assert_eq!(said, Some(count), "{runs} runs of {count}, each {interval}, {pause}");
        }
    }

    #[test]
    fn runs_that_follow_each_other_at_once_are_not_told_apart() {
        assert_eq!(of_the_last(3, 10, 20, 1), None);
    }
}
