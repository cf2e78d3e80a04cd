//! The addresses of a target, and the addresses to send from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::probe::aim::Aim;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;

/// A target whose name has been resolved.
#[derive(Clone, Debug)]
pub struct Destination {
    addresses: Vec<SocketAddr>,
    sources: Vec<SocketAddr>,
    timeout: Duration,
    resolve: Option<Duration>,
    dscp: Option<u8>,
}

impl Destination {
    /// A target with these `addresses`, in the resolver's order. They are tried in that order,
    /// but the two families by turns. Without any address, nothing is sent. One exchange may take `timeout`. Any address of this machine may send.
    #[must_use]
    pub fn new(addresses: Vec<SocketAddr>, timeout: Duration) -> Self {
        Self {
            addresses: by_turns(addresses),
            sources: Vec::new(),
            timeout,
            resolve: None,
            dscp: None,
        }
    }

    /// The same target, to be reached from `sources`: each of its addresses from the first
    /// source of the same family.
    #[must_use]
    pub fn with_sources(self, sources: Vec<SocketAddr>) -> Self {
        Self { sources, ..self }
    }

    /// The same target, whose name took the time `resolve`; none if it has no name.
    #[must_use]
    pub fn with_resolve(self, resolve: Option<Duration>) -> Self {
        Self { resolve, ..self }
    }

    /// The same target, to which what is sent has this `dscp`.
    #[must_use]
    pub fn with_dscp(self, dscp: Option<u8>) -> Self {
        Self { dscp, ..self }
    }

    /// The DSCP that was asked for.
    #[must_use]
    pub fn dscp(&self) -> Option<u8> {
        self.dscp
    }

    /// The addresses, in the order in which they are tried.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Which of the addresses probes go to.
    pub(crate) fn aim(&self) -> Aim {
        Aim::new(&self.addresses, self.timeout)
    }

    /// The same target, of which `address` has answered: nothing goes to the others any more.
    #[must_use]
    pub fn narrowed(self, address: SocketAddr) -> Self {
        Self { addresses: vec![address], ..self }
    }

    /// How long one exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long it took to resolve the target's name; none if it has no name.
    #[must_use]
    pub fn resolve(&self) -> Option<Duration> {
        self.resolve
    }

    /// Whether a source port was asked for.
    pub(crate) fn has_source_port(&self) -> bool {
        self.sources.iter().any(|source| source.port() != 0)
    }

    /// The address that `flow` sends from to reach `peer`; none if any will do. If a
    /// port was asked for, flow 0 has that port, flow 1 the next one, and so on.
    ///
    /// # Errors
    /// The port would be above 65535.
    pub fn source_of_flow(
        &self,
        peer: SocketAddr,
        flow: u32,
    ) -> Result<Option<SocketAddr>, Trouble> {
        let of_family = |source: &SocketAddr| source.is_ipv4() == peer.is_ipv4();
        let Some(mut source) = self.sources.iter().copied().find(of_family) else {
            return Ok(None);
        };
        if source.port() != 0 {
            let port = u16::try_from(u32::from(source.port()) + flow);
            source.set_port(port.map_err(|_| Trouble::new(Verdict::Local, NO_SUCH_PORT))?);
        }
        Ok(Some(source))
    }
}

/// The addresses of the two families by turns, beginning with the family of the first one. So a
/// family that does not work costs no more than one head start: RFC 8305, section 4.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first = |address: &SocketAddr| address.is_ipv6() == addresses[0].is_ipv6();
    let (first, second): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(is_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(addresses.len());
    while turns.len() < addresses.len() {
        turns.extend(first.next());
        turns.extend(second.next());
    }
    turns
}

const NO_SUCH_PORT: &str = "cannot send from a port above 65535";

/// Any address of the family of `peer`, and any port.
#[must_use]
pub fn any_address(peer: SocketAddr) -> SocketAddr {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    (any, 0).into()
}

/// The IP addresses of `addresses`, with commas between them.
pub(crate) fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_families_take_turns() {
        let addresses = |ips: &[&str]| {
            ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 1)).collect::<Vec<_>>()
        };
        for (given, tried) in [
            (&["::1", "::2", "10.0.0.1", "::3"][..], &["::1", "10.0.0.1", "::2", "::3"][..]),
            (&["10.0.0.1", "10.0.0.2", "::1"], &["10.0.0.1", "::1", "10.0.0.2"]),
            (&[], &[]),
        ] {
            let target = Destination::new(addresses(given), Duration::from_secs(1));
            assert_eq!(target.addresses(), addresses(tried));
        }
    }
}
