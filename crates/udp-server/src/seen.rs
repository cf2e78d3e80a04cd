//! From which ports datagrams came, and when: for `--witness`. A client asks for its own
//! ([`inquiry`]), and so learns in which direction datagrams were lost.
//!
//! The table is bounded. It says since when it is complete, so that nobody takes what was forgotten
//! for what has not come. It reads no clock.

mod bursts;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use common::inquiry::{self, Question};

use crate::limits::{SEEN_SETS, SEEN_WAYS};
use crate::replies::hash;
use bursts::Bursts;

/// From which addresses and ports datagrams came.
#[derive(Debug)]
pub struct Seen {
    start: Instant,
    /// Since when the table is complete: who came last before then may be forgotten. Like all times
    /// here, in nanoseconds from the start on.
    complete_from: u64,
    /// Sets of [`SEEN_WAYS`]: a peer is in that of its hash, where it takes the place of the one that
    /// did not come for longest. Empty until somebody comes.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    peer: SocketAddr,
    bursts: Bursts,
}

impl Seen {
    /// A table that nothing was entered into before `now`.
    pub fn new(now: Instant) -> Self {
        Self { start: now, complete_from: 0, entries: Vec::new() }
    }

    /// Enters a datagram from `peer`. If the server itself `withheld` the answer, nobody can say in
    /// which direction that one was lost.
    pub fn note(&mut self, peer: SocketAddr, withheld: bool, now: Instant) {
        if self.entries.is_empty() {
            if self.entries.try_reserve_exact(SEEN_SETS * SEEN_WAYS).is_err() {
                // Without memory nothing is known.
                self.complete_from = self.time(now);
                return;
            }
            let nobody = (Ipv4Addr::UNSPECIFIED, 0).into();
            let free = Entry { peer: nobody, bursts: Bursts::default() };
            self.entries.resize(SEEN_SETS * SEEN_WAYS, free);
        }
        let (at, first) = (self.time(now), set_of(peer));
        let set = &mut self.entries[first..][..SEEN_WAYS];
        let place = set.iter().position(|entry| entry.peer == peer).unwrap_or_else(|| {
            (0..SEEN_WAYS).min_by_key(|n| set[*n].bursts.last()).unwrap_or_default()
        });
        let entry = &mut set[place];
        if entry.peer != peer {
            self.complete_from = self.complete_from.max(entry.bursts.last().unwrap_or_default());
            *entry = Entry { peer, bursts: Bursts::default() };
        }
        entry.bursts.note(withheld, at);
    }

    /// For how many milliseconds the table has been complete.
    pub fn since_ms(&self, now: Instant) -> u64 {
        self.time(now).saturating_sub(self.complete_from) / MILLI
    }

    /// What came from the address of `peer`, and from the port that `question` is about. None if
    /// that cannot be said.
    pub fn of(
        &self,
        mut peer: SocketAddr,
        question: Question,
        now: Instant,
    ) -> Option<inquiry::Seen> {
        peer.set_port(question.port);
        let set = self.entries.get(set_of(peer)..).unwrap_or_default();
        let mut set = set.iter().take(SEEN_WAYS);
        let Some(entry) = set.find(|entry| entry.peer == peer) else {
            return Some(inquiry::Seen { count: 0, oldest_ms: 0 });
        };
        let now = self.time(now);
        let within = question.within_ms.saturating_mul(MILLI);
        let (count, first) = entry.bursts.since(now.saturating_sub(within))?;
        let oldest_ms = first.map_or(0, |first| now.saturating_sub(first) / MILLI);
        Some(inquiry::Seen { count, oldest_ms })
    }

    fn time(&self, now: Instant) -> u64 {
        // It takes 584 years to be more.
        now.saturating_duration_since(self.start).as_nanos() as u64
    }
}

/// A millisecond in nanoseconds.
const MILLI: u64 = 1_000_000;

/// Where the set of `peer` begins.
fn set_of(peer: SocketAddr) -> usize {
    hash(peer, SEEN_SETS) * SEEN_WAYS
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn peer(n: usize) -> SocketAddr {
        let ip = std::net::Ipv4Addr::from(u32::try_from(n / 60_000).unwrap() + 0x0a00_0000);
        (ip, 1024 + u16::try_from(n % 60_000).unwrap()).into()
    }

    fn asked(table: &Seen, peer: SocketAddr, within_ms: u64, now: Instant) -> Option<(u64, u64)> {
        let question = Question { port: peer.port(), within_ms };
        // Whoever asks, asks from another port.
        let asker = SocketAddr::new(peer.ip(), 9);
        table.of(asker, question, now).map(|seen| (seen.count, seen.oldest_ms))
    }

    #[test]
    fn an_address_is_told_of_its_own_ports_alone() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut table = Seen::new(start);
        let [a, b]: [SocketAddr; 2] =
            ["192.0.2.1:5000", "192.0.2.2:5000"].map(|it| it.parse().unwrap());
        table.note(a, false, at(100));
        table.note(a, false, at(150));
        assert_eq!(asked(&table, a, 300, at(400)), Some((2, 300)));
        assert_eq!(asked(&table, b, 300, at(400)), Some((0, 0)), "another address");
        assert_eq!(asked(&table, a, 299, at(400)), Some((1, 250)), "not so long ago");
        assert_eq!(table.since_ms(at(400)), 400, "since the start");
        table.note(a, true, at(500));
        assert_eq!(asked(&table, a, 900, at(600)), None, "the server did not answer one");
        assert_eq!(asked(&table, a, 50, at(600)), Some((0, 0)));
    }

    #[test]
    fn the_table_is_bounded_and_says_since_when_it_is_complete() {
        let start = Instant::now();
        let at = |n: usize| start + Duration::from_millis(n as u64);
        let mut table = Seen::new(start);
        let most = SEEN_SETS * SEEN_WAYS;
        for n in 0..3 * most {
            table.note(peer(n), false, at(n));
            assert_eq!(table.entries.len(), most);
            let since = usize::try_from(table.since_ms(at(n))).unwrap();
            // Ports that follow one another are spread over all sets.
            assert!(since == n || since > most / 2, "{since}");
            // Whoever came in that time is known; the very moment at its beginning is not.
            let first = n - since + usize::from(since < n);
            for known in [first, n] {
                let known = asked(&table, peer(known), u64::MAX, at(n)).unwrap();
                assert_eq!(known.0, 1, "{first} of {n}");
            }
        }
        assert_eq!(asked(&table, peer(0), u64::MAX, at(3 * most)), Some((0, 0)), "long forgotten");
    }

    proptest! {
        /// What is said of a port is the truth, or nothing is said.
        #[test]
        fn a_count_is_exact_or_missing(
            gaps in prop::collection::vec(prop_oneof![0..5u64, 0..400u64, 0..9000u64], 1..40),
            withheld in prop::collection::vec(0..20u8, 40), within in 0..20_000u64, after in 0..500u64,
        ) {
            let start = Instant::now();
            let (mut table, mut ms, mut came) = (Seen::new(start), 0, Vec::new());
            for (gap, withheld) in gaps.iter().zip(withheld) {
                ms += gap;
                table.note(peer(1), withheld == 0, start + Duration::from_millis(ms));
                came.push((ms, withheld == 0));
            }
            let now = ms + after;
            let inside: Vec<_> = came.iter().filter(|(at, _)| at + within >= now).collect();
            if let Some((count, oldest)) = asked(&table, peer(1), within, start + Duration::from_millis(now)) {
                prop_assert_eq!(count, inside.len() as u64);
                prop_assert_eq!(oldest, inside.first().map_or(0, |(at, _)| now - at));
                prop_assert!(inside.iter().all(|(_, withheld)| !withheld));
            } else {
                let all_or_none = inside.len() == came.len() || inside.is_empty();
                prop_assert!(!all_or_none || inside.iter().any(|(_, withheld)| *withheld));
            }
        }
    }
}
