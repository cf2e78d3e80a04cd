//! Measured times: their exact count, sum, least and greatest, and a histogram. They take
//! the same memory, however many there are. A bucket of the histogram is a nanosecond wide,
//! or at most a 256th of the times in it.

use std::time::Duration;

/// The logarithm of [`PARTS`], the number of buckets in each power of two.
const PARTS_LOG2: u32 = 8;
const PARTS: u64 = 1 << PARTS_LOG2;

/// The logarithm of a time in nanoseconds, over an hour. The last bucket takes all times
/// from there on.
const LONGEST_LOG2: u32 = 42;
const BUCKETS: usize = ((LONGEST_LOG2 - PARTS_LOG2 + 1) as usize) << PARTS_LOG2;

/// Times that were measured.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// Empty before the first sample.
    buckets: Vec<u64>,
    samples: u64,
    /// The sum of the times, the least and the greatest, in nanoseconds.
    sum: u128,
    least: u64,
    greatest: u64,
}

impl Times {
    /// Adds a sample.
    pub fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if self.samples == 0 {
            (self.buckets, self.least) = (vec![0; BUCKETS], nanos);
        }
        self.buckets[bucket(nanos)] += 1;
        self.samples += 1;
        self.sum += u128::from(nanos);
        self.least = self.least.min(nanos);
        self.greatest = self.greatest.max(nanos);
    }

    /// How many samples there are.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The least time.
    #[must_use]
    pub fn least(&self) -> Duration {
        Duration::from_nanos(self.least)
    }

    /// The greatest time.
    #[must_use]
    pub fn greatest(&self) -> Duration {
        Duration::from_nanos(self.greatest)
    }

    /// The sum of the times.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.sum).unwrap_or(u64::MAX))
    }

    /// The mean of the times.
    #[must_use]
    #[inline(never)]
    pub fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.samples)).unwrap_or_default();
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The time that `thousandths` of the samples do not exceed (nearest rank). `None` if
    /// there are too few samples to expect one beyond that time.
    #[must_use]
    pub fn percentile(&self, thousandths: u64) -> Option<Duration> {
        if self.samples.saturating_mul(1000 - thousandths) < 1000 {
            return None;
        }
        let rank = (u128::from(self.samples) * u128::from(thousandths)).div_ceil(1000);
        let mut seen = 0;
        let within = self.buckets.iter().position(|&count| {
            seen += u128::from(count);
            seen >= rank
        })?;
        let (from, below) = (start(within), start(within + 1));
        let middle = from + (below - from) / 2;
        Some(Duration::from_nanos(middle.clamp(self.least, self.greatest)))
    }

    /// How many samples fall into each of `rows`. Each row is given by its beginning, in
    /// ascending order. Samples before the first row are counted in the first row.
    #[must_use]
    pub fn counts(&self, rows: &[Duration]) -> Vec<u64> {
        let mut counts = vec![0; rows.len()];
        for (at, &count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let middle = Duration::from_nanos(start(at) + (start(at + 1) - start(at)) / 2);
            let row = rows.partition_point(|begin| *begin <= middle).saturating_sub(1);
            if let Some(sum) = counts.get_mut(row) {
                *sum += count;
            }
        }
        counts
    }
}

/// The bucket of a time. Below [`PARTS`] each nanosecond has a bucket of its own; above,
/// each power of two has [`PARTS`] buckets.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << LONGEST_LOG2) - 1);
    let shift = (nanos.max(PARTS).ilog2()) - PARTS_LOG2;
    if nanos < PARTS {
        return nanos as usize;
    }
    ((shift as usize) << PARTS_LOG2) + (nanos >> shift) as usize
}

/// The least time of a bucket, in nanoseconds.
fn start(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let shift = (bucket >> PARTS_LOG2) - 1;
    (PARTS + (bucket & (PARTS - 1))) << shift
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(nanos: impl IntoIterator<Item = u64>) -> Times {
        let mut times = Times::default();
        nanos.into_iter().for_each(|nanos| times.add(Duration::from_nanos(nanos)));
        times
    }

    #[test]
    fn percentiles_need_samples_beyond_them() {
        let micros = |n: u64| times((1..=n).map(|i| i * 1000));
        assert_eq!(micros(1).percentile(500), None);
        assert!(micros(2).percentile(500).is_some());
        assert!(micros(9).percentile(900).is_none() && micros(10).percentile(900).is_some());
        assert!(micros(999).percentile(999).is_none() && micros(1000).percentile(999).is_some());
        let exact = micros(1000);
        assert_eq!(
            (exact.least(), exact.greatest()),
            (Duration::from_micros(1), Duration::from_millis(1))
        );
        assert_eq!(exact.mean(), Duration::from_nanos(500_500));
    }

    #[test]
    fn buckets_join_without_a_gap() {
        for at in 0..BUCKETS {
            assert!(start(at) < start(at + 1));
            assert_eq!((bucket(start(at)), bucket(start(at + 1) - 1)), (at, at));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn every_sample_is_in_a_row() {
        let rows = [10_000, 20_000, 30_000].map(Duration::from_nanos);
        assert_eq!(times([1_000, 10_100, 15_000, 25_000, 99_000]).counts(&rows), [3, 1, 1]);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_times(
            mut nanos in prop::collection::vec(0..1u64 << 40, 1000..3000),
            thousandths in prop::sample::select(vec![500, 900, 990, 999_u64]),
        ) {
            let found = times(nanos.iter().copied()).percentile(thousandths).unwrap();
            nanos.sort_unstable();
            let rank = (nanos.len() as u64 * thousandths).div_ceil(1000) as usize;
            let exact = nanos[rank - 1];
            prop_assert!(found.as_nanos().abs_diff(u128::from(exact)) <= u128::from(exact / 256 + 1));
        }
    }
}
