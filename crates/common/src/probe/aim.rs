//! Which of a target's addresses a probe goes to. Probes try the addresses in order
//! until one answers. Later probes go to that address alone.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::probe::outcome::{Ended, Outcome};
use crate::probe::schedule::Due;

/// The least time that an attempt gets, however little is left: as short as `--timeout` may
/// be.
const SHORTEST_ATTEMPT: Duration = Duration::from_micros(1);

/// The addresses of a target.
#[derive(Debug)]
pub struct Aim {
    /// In the order in which they are tried.
    addresses: Rc<[SocketAddr]>,
    /// How long a probe may take for all the addresses that it tries.
    timeout: Duration,
}

/// A probe under way to one address.
#[derive(Debug)]
pub struct Probe {
    /// When the probe was due, and which flow sends it.
    pub due: Due,
    /// When the probe was sent to this address.
    pub begun: Instant,
    /// How long the probe may take at this address. The time is counted from when the
    /// loop took the probe, or took it on to this address, and not from when it was sent.
    pub limit: Duration,
    /// When `limit` has passed.
    ends_at: Instant,
    /// When the probe's time at this address and all further ones is up.
    over_at: Instant,
    /// The addresses in the order in which they are tried. The probe is under way to the
    /// first one without an outcome.
    addresses: Rc<[SocketAddr]>,
    /// The outcomes of the addresses before this one.
    before: Vec<Outcome>,
}

impl Aim {
    /// The aim at a target with these `addresses`, at least one. A probe may take
    /// `timeout` for all of them together.
    #[must_use]
    pub fn new(addresses: &[SocketAddr], timeout: Duration) -> Self {
        Self { addresses: addresses.into(), timeout }
    }

    /// A probe to the first address. The loop takes the probe at `now`, and its time is up
    /// at `end` at the latest.
    #[must_use]
    pub fn first(&self, due: Due, now: Instant, end: Option<Instant>) -> Probe {
        let left = end.map(|end| end.saturating_duration_since(now));
        let time_left = self.timeout.min(left.unwrap_or(Duration::MAX));
        let addresses = self.addresses.clone();
        let limit = share(time_left, addresses.len());
        let (ends_at, over_at, before) = (now + limit, now + time_left, Vec::new());
        Probe { due, begun: now, limit, ends_at, over_at, addresses, before }
    }

    /// Whether `probe` goes on to the next address after `outcome` at this one. Once an
    /// address has answered, probes that are taken later go to that address alone.
    pub fn goes_on(&mut self, probe: &Probe, outcome: &Outcome) -> bool {
        let is_answered = outcome.is_answered();
        if is_answered && self.addresses.len() > 1 {
            self.addresses = [probe.address()].into();
        }
        !is_answered && probe.addresses_left() > 1
    }
}

impl Probe {
    /// The address that the probe is under way to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.addresses[self.before.len()]
    }

    /// How many addresses are left, including this one.
    fn addresses_left(&self) -> usize {
        self.addresses.len() - self.before.len()
    }

    /// Takes the probe on to the next address at `now`, after `outcome` at this one.
    #[must_use]
    pub fn go_on(mut self, outcome: Outcome, now: Instant) -> Self {
        self.before.push(outcome);
        self.limit = share(self.over_at.saturating_duration_since(now), self.addresses_left());
        (self.begun, self.ends_at) = (now, now + self.limit);
        self
    }

    /// Ends the probe, with `outcome` at the last address that it tries.
    #[must_use]
    pub fn end(self, outcome: Outcome) -> Ended {
        let (number, delay) = (self.due.number, Some(self.delay()));
        Ended { number, delay, before: self.before, last: outcome }
    }

    /// Notes that the probe is sent at `now`. This gives it no more time at this address.
    pub fn begin(&mut self, now: Instant) {
        self.begun = now;
    }

    /// How long after its due time the probe was sent to this address.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.begun.saturating_duration_since(self.due.at)
    }

    /// When the probe's time at this address is up.
    #[must_use]
    pub fn ends_at(&self) -> Instant {
        self.ends_at
    }
}

/// The share of `time_left` that one address may take. All shares are equal, so that a
/// silent address leaves time for the addresses after it.
fn share(time_left: Duration, addresses_left: usize) -> Duration {
    let share = match u32::try_from(addresses_left) {
        Ok(1) => time_left,
        left => time_left / left.unwrap_or(u32::MAX),
    };
    share.max(SHORTEST_ATTEMPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::outcome::trouble::Trouble;
    use crate::probe::outcome::verdict::Verdict;
    use crate::probe::schedule::Schedule;

    #[test]
    fn addresses_are_tried_in_order_and_share_the_time() {
        let addresses = ["[::1]:7000", "127.0.0.1:7000", "127.0.0.2:7000"];
        let mut aim = Aim::new(&addresses.map(|a| a.parse().unwrap()), Duration::from_secs(6));
        let start = Instant::now();
        let due = Schedule::new(start, Duration::ZERO, 1, 1).take(start, |_| true).unwrap();
        let mut first = aim.first(due, start, None);
        first.begin(start + Duration::from_secs(1));
        assert_eq!(first.delay(), Duration::from_secs(1));
        assert_eq!(
            first.ends_at(),
            start + Duration::from_secs(2),
            "a late start gives no more time"
        );
        assert_eq!((first.address().is_ipv6(), first.limit), (true, Duration::from_secs(2)));
        let refused = Outcome::failed(Some(first.address()), Trouble::no_connection(first.limit));
        assert!(aim.goes_on(&first, &refused));
        let second = first.go_on(refused.clone(), start);
        assert_eq!((second.address().is_ipv6(), second.limit), (false, Duration::from_secs(3)));
        let answered = Outcome { result: Ok(Vec::new()), ..refused };
        assert!(!aim.goes_on(&second, &answered), "an answered probe goes no further");
        let ended = second.end(answered);
        let verdicts: Vec<_> = ended.outcomes().map(Outcome::verdict).collect();
        assert_eq!(verdicts, [Verdict::Timeout, Verdict::Ok]);
        let next = aim.first(due, start, None);
        assert_eq!(next.address(), "127.0.0.1:7000".parse().unwrap(), "the address that answered");
        assert_eq!(next.limit, Duration::from_secs(6));
    }
}
