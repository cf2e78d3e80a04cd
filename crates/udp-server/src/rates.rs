//! Limits the replies to each source: `--rate`.

use std::collections::HashMap;
use std::mem;
use std::time::{Duration, Instant};

use common::server::peer::Source;

use crate::limits::{BURST, SOURCES};

/// A token bucket for each source, in a table of bounded size.
///
/// A bucket is stored as the instant at which it will be full again (the generic cell
/// rate algorithm, ITU-T I.371). Each reply moves this instant on by the time that
/// earns one reply. The instant may be no further ahead than [`BURST`].
#[derive(Debug)]
pub struct Rates {
    /// The time that earns one reply.
    each: Duration,
    /// The sources that had a reply lately. When there are [`SOURCES`] of them, this table
    /// takes the place of `earlier`. So the sources that were longest without a reply
    /// are forgotten, and no order has to be kept.
    recent: HashMap<Source, Instant>,
    earlier: HashMap<Source, Instant>,
}

impl Rates {
    /// Allows `rate` replies a second to one source; `rate` is not zero.
    pub fn new(rate: u64) -> Self {
        let each = Duration::from_nanos(1_000_000_000 / rate.max(1));
        Self { each, recent: HashMap::new(), earlier: HashMap::new() }
    }

    /// Whether a reply may go to `source` at `now`. If so, it counts as sent.
    pub fn may_pass(&mut self, source: Source, now: Instant) -> bool {
        let full_at = self.recent.get(&source).or_else(|| self.earlier.get(&source));
        let full_at = full_at.map_or(now, |&full_at| full_at.max(now)) + self.each;
        // Even if one reply takes longer to earn than BURST, it can be earned.
        let may_pass = full_at - now <= BURST.max(self.each);
        if may_pass {
            let is_new = !self.recent.contains_key(&source);
            // Without memory for more sources, as if there were enough of them.
            if is_new && (self.recent.len() >= SOURCES || self.recent.try_reserve(1).is_err()) {
                self.earlier = mem::take(&mut self.recent);
            }
            self.recent.insert(source, full_at);
        }
        may_pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> Source {
        source(&std::net::Ipv4Addr::from(n).to_string())
    }

    fn source(ip: &str) -> Source {
        Source::of(std::net::SocketAddr::new(ip.parse().unwrap(), 7000))
    }

    fn passing(rates: &mut Rates, source: Source, now: Instant) -> usize {
        (0..10_000).take_while(|_| rates.may_pass(source, now)).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rates = Rates::new(50);
        assert_eq!(passing(&mut rates, ip(1), start), 100, "a burst of twice the rate");
        assert_eq!(passing(&mut rates, ip(1), at(19)), 0);
        assert_eq!(passing(&mut rates, ip(1), at(20)), 1);
        assert_eq!(passing(&mut rates, ip(1), at(1020)), 50);
        assert_eq!(passing(&mut rates, ip(2), at(1020)), 100, "another source");
        assert_eq!(passing(&mut rates, ip(1), at(100_000)), 100, "no more than a burst is saved");
    }

    #[test]
    fn the_lowest_rate_is_one_a_second() {
        let start = Instant::now();
        let mut rates = Rates::new(1);
        assert_eq!(passing(&mut rates, ip(1), start), 2);
        assert_eq!(passing(&mut rates, ip(1), start + Duration::from_secs(1)), 1);
    }

    #[test]
    fn a_64_is_one_source() {
        let now = Instant::now();
        let mut rates = Rates::new(1);
        assert_eq!(passing(&mut rates, source("2001:db8::1"), now), 2);
        assert_eq!(passing(&mut rates, source("2001:db8::2"), now), 0);
        assert_eq!(passing(&mut rates, source("2001:db8:0:1::1"), now), 2);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let now = Instant::now();
        let mut rates = Rates::new(1);
        let sources = u32::try_from(SOURCES).unwrap();
        for n in 0..5 * sources {
            assert!(rates.may_pass(ip(n), now));
            assert!(rates.recent.len() + rates.earlier.len() <= 2 * SOURCES);
        }
        let last = ip(5 * sources - 1);
        assert_eq!(passing(&mut rates, last, now), 1, "it is still known");
        assert_eq!(passing(&mut rates, ip(0), now), 2, "it is long forgotten");
    }
}
