//! How many times are within fixed bounds. Beside the percentiles, which cannot be added up, such
//! counts can: over periods, over runs, and over hosts.

use std::time::Duration;

const fn us(micros: u64) -> u64 {
    micros * 1000
}

/// The bounds, in nanoseconds: from the reply of a neighbour to two time-outs, in steps of 2 to 2.5,
/// the usual ones of Prometheus's libraries. They are the same in every run: counts by different
/// bounds cannot be added up.
const BOUNDS: [u64; 16] = [
    us(100),
    us(250),
    us(500),
    us(1_000),
    us(2_500),
    us(5_000),
    us(10_000),
    us(25_000),
    us(50_000),
    us(100_000),
    us(250_000),
    us(500_000),
    us(1_000_000),
    us(2_500_000),
    us(5_000_000),
    us(10_000_000),
];

/// Times, counted by the bounds. The counts are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets([u64; BOUNDS.len() + 1]);

impl Buckets {
    /// Adds a time.
    pub fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0[BOUNDS.partition_point(|bound| *bound < nanos)] += 1;
    }

    /// How many times do not exceed each bound; in the end, how many there are.
    #[must_use]
    pub fn cumulative(&self) -> [u64; BOUNDS.len() + 1] {
        let mut sum = 0;
        self.0.map(|count| {
            sum += count;
            sum
        })
    }

    /// The bounds; in the end none.
    pub fn bounds() -> impl Iterator<Item = Option<Duration>> {
        BOUNDS.into_iter().map(|nanos| Some(Duration::from_nanos(nanos))).chain([None])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_at_a_bound_does_not_exceed_it() {
        let mut buckets = Buckets::default();
        for nanos in [100_000, 100_001, 10_000_000_000, 10_000_000_001, u64::MAX] {
            buckets.add(Duration::from_nanos(nanos));
        }
        let counts = buckets.cumulative();
        assert_eq!((counts[0], counts[1], counts[15], counts[16]), (1, 2, 3, 5));
    }

    proptest! {
        #[test]
        fn the_counts_are_exact_and_can_be_added_up(
            nanos in prop::collection::vec(0..20_000_000_000_u64, 0..100), at in 0..100_usize,
        ) {
            let counted = |nanos: &[u64]| {
                let mut buckets = Buckets::default();
                nanos.iter().for_each(|nanos| buckets.add(Duration::from_nanos(*nanos)));
                buckets.cumulative()
            };
            let (first, second) = nanos.split_at(at.min(nanos.len()));
            let (all, first, second) = (counted(&nanos), counted(first), counted(second));
            for (at, bound) in Buckets::bounds().enumerate() {
                let is_within =
                    |nanos: &&u64| bound.is_none_or(|bound| u128::from(**nanos) <= bound.as_nanos());
                prop_assert_eq!(all[at], nanos.iter().filter(is_within).count() as u64);
                prop_assert_eq!(all[at], first[at] + second[at]);
            }
        }
    }
}
