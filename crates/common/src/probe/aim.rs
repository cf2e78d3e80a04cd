//! Which of a target's addresses probes go to: all of them race, until one has answered. Later
//! probes go there alone.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

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

impl Aim {
    /// The aim at a target with these `addresses`. A probe may take `timeout`. If that is too
    /// short for each address to have its head start, they have equal shares of it.
    #[must_use]
    pub fn new(addresses: &[SocketAddr], timeout: Duration) -> Self {
        let share = timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        Self { addresses: addresses.into(), timeout, head_start: HEAD_START.min(share) }
    }

    /// Aims later probes at the `winner` of a race alone.
    pub fn narrow(&mut self, winner: SocketAddr) {
        if self.addresses.len() > 1 {
            self.addresses = [winner].into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_is_shared_and_later_probes_go_to_the_winner_alone() {
        let addresses = ["127.0.0.1:7000", "127.0.0.2:7000"].map(|a| a.parse().unwrap());
        let aim = |timeout| Aim::new(&addresses, Duration::from_millis(timeout));
        assert_eq!(aim(5000).head_start, HEAD_START);
        assert_eq!(aim(30).head_start, Duration::from_millis(15));
        let mut aim = aim(30);
        aim.narrow(addresses[1]);
        assert_eq!(*aim.addresses, addresses[1..]);
    }
}
