//! Who counts as one peer where something is limited by peer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IPv4 address; or the first 64 bits of an IPv6 one, for a host is given
/// that many and can take any address in it (RFC 6177, RFC 7934). Link-local
/// addresses all have the same: their link tells them apart (RFC 4007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    network: IpAddr,
    link: u32,
}

impl Source {
    /// The source that `peer` belongs to.
    #[must_use]
    pub fn of(peer: SocketAddr) -> Self {
        let link = match peer {
            SocketAddr::V6(peer) => peer.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        match peer.ip().to_canonical() {
            IpAddr::V4(ip) => Self { network: ip.into(), link: 0 },
            IpAddr::V6(ip) => {
                let network = Ipv6Addr::from(u128::from(ip) >> 64 << 64).into();
                Self { network, link }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_or_a_64() {
        let source = |ip: &str| Source::of(format!("{ip}:7000").parse().unwrap());
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1"), source("[::ffff:192.0.2.1]"));
        assert_eq!(source("[2001:db8::1]"), source("[2001:db8::ffff:1:2:3]"));
        assert_ne!(source("[2001:db8::1]"), source("[2001:db8:0:1::1]"));
        assert_eq!(source("[fe80::1%2]"), source("[fe80::2%2]"));
        assert_ne!(source("[fe80::1%2]"), source("[fe80::1%3]"), "another link");
    }
}
