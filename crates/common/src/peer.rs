//! Who sends: a peer's address, and how it is printed.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::source::Source;

/// A peer's address with its text, made once: it is printed again and again.
///
/// An IPv4 peer of a socket for both families is `1.2.3.4`, not
/// `::ffff:1.2.3.4`, in what is printed and in what is limited.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    text: Box<str>,
}

impl Peer {
    /// The peer with the address that a socket gives.
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

    /// Its address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whom it counts as, where something is limited.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::of(self.address)
    }

    /// `IP:PORT`; `[fe80::1%2]:PORT` with the number of its link.
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
}
