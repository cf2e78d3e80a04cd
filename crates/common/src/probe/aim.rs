//! A probe, and which of the target's addresses it goes to: all of them race, until one has
//! answered. Later probes go there alone.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::probe::outcome::{Ended, Outcome};
use crate::probe::schedule::Due;

/// The time after which the next address is tried, too: the "Connection Attempt Delay" of
/// RFC 8305, section 5.
const HEAD_START: Duration = Duration::from_millis(250);

/// The addresses of a target.
#[derive(Clone, Debug)]
pub struct Aim {
    /// In the order in which they are tried.
    pub(crate) addresses: Rc<[SocketAddr]>,
    /// How long a probe may take.
    pub(crate) timeout: Duration,
    /// How long an address is tried alone before the next one is tried, too.
    pub(crate) head_start: Duration,
}

/// A probe under way to one address.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// When the probe was due, and which flow sends it.
    pub due: Due,
    pub(crate) address: SocketAddr,
    /// Which of the target's addresses it is, in the order in which they are tried.
    pub(crate) lane: usize,
    pub(crate) begun: Instant,
    /// How long the call took that sent the probe: it left some time in between.
    pub(crate) sending: Duration,
    pub(crate) ends_at: Instant,
    /// How long the probe may take, and when its time is up at the latest.
    pub(crate) timeout: Duration,
    pub(crate) end: Option<Instant>,
    /// Whether the target has several addresses, of which the first to answer wins.
    pub(crate) is_in_race: bool,
}

impl Aim {
    /// The aim at a target with these `addresses`. A probe may take `timeout`. If that is too
    /// short for each address to have its head start, they have equal shares of it.
    #[must_use]
    pub fn new(addresses: &[SocketAddr], timeout: Duration) -> Self {
        let share = timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        Self { addresses: addresses.into(), timeout, head_start: HEAD_START.min(share) }
    }

    /// The probe that is `due`, to the first address. The loop takes the probe at `now`, and its
    /// time is up at `end` at the latest.
    #[must_use]
    pub fn probe(&self, due: Due, now: Instant, end: Option<Instant>) -> Option<Probe> {
        let (address, timeout) = (*self.addresses.first()?, self.timeout);
        let ends_at = end_of(now, timeout, end);
        let is_in_race = self.has_several();
        Some(Probe {
            due,
            address,
            lane: 0,
            begun: now,
            sending: Duration::ZERO,
            ends_at,
            timeout,
            end,
            is_in_race,
        })
    }

    /// Whether a probe may have to try several addresses.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.addresses.len() > 1
    }

    /// Whether the target is no longer where probes go: one of these addresses is not among those
    /// that it has `now`.
    #[must_use]
    pub fn is_outdated(&self, now: &[SocketAddr]) -> bool {
        self.addresses.iter().any(|address| !now.contains(address))
    }

    /// Aims later probes at the `winner` of a race alone. The race may have begun before the target
    /// had other addresses.
    pub fn narrow(&mut self, winner: SocketAddr) {
        if self.has_several() && self.addresses.contains(&winner) {
            self.addresses = [winner].into();
        }
    }
}

impl Probe {
    /// Which of the run's probes it is, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.due.number
    }

    /// Which flow sends it, from 0.
    #[must_use]
    pub fn flow(&self) -> u32 {
        self.due.flow
    }

    /// Whether the probe may go to several addresses, of which the first to answer wins.
    #[must_use]
    pub fn is_in_race(&self) -> bool {
        self.is_in_race
    }

    /// The address that the probe is under way to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the probe was sent to this address; before that, when the loop took it.
    #[must_use]
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// When the probe's time is up, at this address and at all others: what comes later is late.
    #[must_use]
    pub fn ends_at(&self) -> Instant {
        self.ends_at
    }

    /// When the probe is given up. That is after its time is up, also if the probe left only when
    /// the call that sent it returned.
    #[must_use]
    pub fn given_up_at(&self) -> Instant {
        let at = self.ends_at + self.sending;
        self.end.map_or(at, |end| end.min(at))
    }

    /// Notes that the probe is sent at `now`, by a call that has `returned`: its time is counted
    /// from `now`.
    pub fn begin(&mut self, now: Instant, returned: Instant) {
        (self.begun, self.ends_at) = (now, end_of(now, self.timeout, self.end));
        self.sending = returned.saturating_duration_since(now);
    }

    /// Ends the probe, with the `outcome` at this address, and without any others.
    #[must_use]
    pub fn end(&self, outcome: Outcome) -> Ended {
        Ended {
            number: self.due.number,
            sent: Some(self.begun),
            delay: Some(self.delay()),
            is_sent_late: self.due.is_late(self.begun),
            others: Vec::new(),
            last: outcome,
            findings: None,
        }
    }

    /// How long the probe may take at this address.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.ends_at.saturating_duration_since(self.begun)
    }

    /// How long after its due time the probe was sent to this address.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.begun.saturating_duration_since(self.due.at)
    }
}

fn end_of(begun: Instant, timeout: Duration, end: Option<Instant>) -> Instant {
    let ends_at = begun + timeout;
    end.map_or(ends_at, |end| end.min(ends_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::schedule::Schedule;

    #[test]
    fn a_probe_is_given_up_when_its_time_is_up_however_long_it_took_to_send() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let aim = Aim::new(&["127.0.0.1:7000".parse().unwrap()], ms(20));
        let mut schedule = Schedule::new(start, Duration::ZERO, 1, 1);
        let due = schedule.take(start, &|_| true).unwrap();
        for (end, given_up_at) in [(None, 32), (Some(30), 30), (Some(10), 10)] {
            let mut probe = aim.probe(due, start, end.map(|end| start + ms(end))).unwrap();
            probe.begin(start + ms(5), start + ms(12));
            assert_eq!(probe.delay(), ms(5));
            assert_eq!(probe.ends_at(), start + ms(25.min(given_up_at)));
            assert_eq!(probe.given_up_at(), start + ms(given_up_at));
        }
    }

    #[test]
    fn a_short_time_is_shared_and_later_probes_go_to_the_winner_alone() {
        let addresses = ["127.0.0.1:7000", "127.0.0.2:7000"].map(|a| a.parse().unwrap());
        let aim = |timeout| Aim::new(&addresses, Duration::from_millis(timeout));
        assert_eq!(aim(5000).head_start, HEAD_START);
        assert_eq!(aim(30).head_start, Duration::from_millis(15));
        let mut aim = aim(30);
        aim.narrow("127.0.0.3:7000".parse().unwrap());
        assert_eq!(*aim.addresses, addresses, "of a race that is over");
        assert!(!aim.is_outdated(&addresses) && aim.is_outdated(&addresses[1..]));
        aim.narrow(addresses[1]);
        assert_eq!(*aim.addresses, addresses[1..]);
        assert!(!aim.is_outdated(&addresses) && aim.is_outdated(&addresses[..1]));
    }
}
