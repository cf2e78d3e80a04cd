//! A peer: its address, how it is printed, and the source that limits count it under.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// A peer's address and its text. The text is made once, for it is printed several
/// times.
///
/// An IPv4 peer of a socket for both families is `1.2.3.4`, not `::ffff:1.2.3.4`,
/// both in print and in limits.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    text: Box<str>,
}

impl Peer {
    /// The peer with this `address`, as a socket gives it.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let address = match (address.ip().to_canonical(), address) {
            (IpAddr::V6(ip), SocketAddr::V6(as_given)) => {
                SocketAddrV6::new(ip, as_given.port(), 0, as_given.scope_id()).into()
            }
            (ip, _) => SocketAddr::new(ip, address.port()),
        };
        Self { address, text: address.to_string().into() }
    }

    /// The peer's IP address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// The peer's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The source that limits count the peer under.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::of(self.address)
    }

    /// The peer in print: `IP:PORT`, or `[fe80::1%2]:PORT` with the number of its link.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What limits count as one: an IPv4 address, or the first 64 bits of an IPv6
/// address. A host is given a whole /64 and can use any address in it (RFC 6177,
/// RFC 7934). Link-local addresses all have the same first 64 bits, so their link is
/// compared too (RFC 4007).
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
    fn peers_print_as_users_know_them() {
        for (address, text) in [
            ("[::ffff:192.0.2.1]:7000", "192.0.2.1:7000"),
            ("192.0.2.1:7000", "192.0.2.1:7000"),
            ("[2001:db8::1]:7000", "[2001:db8::1]:7000"),
            ("[fe80::1%2]:7000", "[fe80::1%2]:7000"),
        ] {
            assert_eq!(Peer::new(address.parse().unwrap()).as_str(), text);
        }
    }

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
