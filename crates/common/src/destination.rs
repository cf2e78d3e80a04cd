//! The addresses of a target, tried in order.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::probe::outcome::Outcome;
use crate::probe::trouble::Trouble;
use log::debug;

/// However little time is left, an attempt has this much: a target on the same
/// network answers in less.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(1);

/// A target whose name was resolved.
#[derive(Clone, Debug)]
pub struct Destination {
    /// In the order in which they are tried, at least one; or why there is
    /// none.
    pub(crate) addresses: Result<Vec<SocketAddr>, Trouble>,
    /// Where to send from, one a family; none where any will do.
    pub(crate) sources: Vec<SocketAddr>,
    pub(crate) timeout: Duration,
}

impl Destination {
    /// Tries the addresses in order, until `attempt` succeeds with one. Each
    /// may take an equal share of the time that is left, so that a silent one
    /// leaves something to those after it. What came of each that was tried.
    pub fn try_each(
        &self,
        mut attempt: impl FnMut(SocketAddr, Duration) -> Outcome,
    ) -> Vec<Outcome> {
        let addresses = match &self.addresses {
            Ok(addresses) => addresses,
            Err(trouble) => return vec![Outcome::failed(None, trouble.clone())],
        };
        let mut time_left = self.timeout;
        let mut outcomes = Vec::new();
        for (tried, &address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let start = Instant::now();
            let outcome = attempt(address, (time_left / left).max(SHORTEST_ATTEMPT));
            debug!("[*] {address}: {outcome}");
            let is_answered = outcome.result.is_ok();
            outcomes.push(outcome);
            if is_answered {
                break;
            }
            time_left = time_left.saturating_sub(start.elapsed());
        }
        outcomes
    }

    /// The addresses, at least one, in the order in which they are tried.
    ///
    /// # Errors
    /// Why there is none.
    pub fn addresses(&self) -> Result<&[SocketAddr], &Trouble> {
        self.addresses.as_deref()
    }

    /// How long one exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address to send from, to reach `peer`.
    #[must_use]
    pub fn source_for(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.sources.iter().copied().find(|source| source.is_ipv4() == peer.is_ipv4())
    }
}

/// The hosts of `addresses`, with commas between them.
pub(crate) fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::verdict::Verdict;

    fn destination(addresses: Result<Vec<SocketAddr>, Trouble>) -> Destination {
        Destination { addresses, sources: Vec::new(), timeout: Duration::from_secs(6) }
    }

    #[test]
    fn addresses_are_tried_in_order_and_share_the_time() {
        let addresses = ["[::1]:7000", "127.0.0.1:7000", "127.0.0.2:7000"];
        let three = destination(Ok(addresses.map(|a| a.parse().unwrap()).into()));
        let mut shares = Vec::new();
        let outcomes = three.try_each(|address, share| {
            shares.push(share.as_secs_f64().round());
            let refused = Outcome::failed(Some(address), Trouble::no_connection(share));
            if address.is_ipv4() { Outcome { result: Ok(Vec::new()), ..refused } } else { refused }
        });
        let verdicts: Vec<_> = outcomes.iter().map(Outcome::verdict).collect();
        assert_eq!(verdicts, [Verdict::Timeout, Verdict::Ok], "and no further");
        assert_eq!(shares, [2.0, 3.0]);
    }

    #[test]
    fn without_an_address_nothing_is_tried() {
        let none = destination(Err(Trouble::new(Verdict::Unresolved, "unknown")));
        let outcomes = none.try_each(|_, _| unreachable!());
        assert_eq!(outcomes[0].verdict(), Verdict::Unresolved);
    }
}
