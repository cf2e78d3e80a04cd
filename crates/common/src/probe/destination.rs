//! The addresses of a target, and those to send from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;

/// A target whose name was resolved.
#[derive(Clone, Debug)]
pub struct Destination {
    /// In the order in which they are tried, at least one.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where to send from, one a family; none where any will do.
    pub(crate) sources: Vec<SocketAddr>,
    pub(crate) timeout: Duration,
    /// How long it took to resolve the name, where there was one.
    pub(crate) resolve: Option<Duration>,
}

impl Destination {
    /// The addresses, at least one, in the order in which they are tried.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How long one exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long it took to resolve the name, where there was one.
    #[must_use]
    pub fn resolve(&self) -> Option<Duration> {
        self.resolve
    }

    /// The port to send from, where one was asked for.
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.sources.first().map(SocketAddr::port).filter(|port| *port != 0)
    }

    /// The address that a flow is to send from, to reach `peer`; none where any
    /// will do. Where a port was asked for, each flow has the one after its
    /// neighbour's.
    ///
    /// # Errors
    /// There is no such port.
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

/// The hosts of `addresses`, with commas between them.
pub(crate) fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}
