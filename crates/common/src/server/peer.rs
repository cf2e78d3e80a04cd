//! A peer: its address, how it is printed, and the source that limits count it under.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str;

/// A peer's address.
///
/// An IPv4 peer of a socket for both families is `1.2.3.4`, not `::ffff:1.2.3.4`,
/// both in print and in limits.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
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
        Self { address }
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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
    pub fn text(&self) -> PeerText {
        match self.address {
            SocketAddr::V4(address) => PeerText::of_ipv4(address),
            SocketAddr::V6(address) => {
                let mut text = PeerText::empty();
                // There is room, so writing does not fail.
                let _ = write!(text, "{address}");
                text
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

/// The length of the longest text, in bytes.
const LONGEST: usize = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".len();

/// A peer in print. It is made for each line that names the peer: to keep it would take more
/// memory of a connection, and to allocate it more time.
#[derive(Debug)]
pub struct PeerText {
    bytes: [u8; LONGEST],
    len: usize,
}

impl PeerText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn empty() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }

    /// The standard library goes through its machinery for width and padding at each of the
    /// five numbers: that takes several times as long. Octets come from a table, four bytes at
    /// once, and the next part overwrites what is too much.
    fn of_ipv4(address: SocketAddrV4) -> Self {
        let mut text = Self::empty();
        for octet in address.ip().octets() {
            let (digits, len) = OCTETS[usize::from(octet)];
            text.bytes[text.len..text.len + digits.len()].copy_from_slice(&digits);
            text.len += usize::from(len);
        }
        text.bytes[text.len - 1] = b':';
        let mut port = address.port();
        let end = text.len + port.checked_ilog10().map_or(1, |log| log as usize + 1);
        for digit in text.bytes[text.len..end].iter_mut().rev() {
            *digit = b'0' + (port % 10) as u8;
            port /= 10;
        }
        text.len = end;
        text
    }
}

/// Each octet's digits with a dot after them, and how many bytes that are.
const OCTETS: [([u8; 4], u8); 256] = {
    let mut octets = [([0; 4], 0); 256];
    let mut octet = 0;
    while octet < octets.len() {
        let (a, b, c) = (octet / 100, octet / 10 % 10, octet % 10);
        let [a, b, c] = [b'0' + a as u8, b'0' + b as u8, b'0' + c as u8];
        octets[octet] = match octet {
            0..10 => ([c, b'.', 0, 0], 2),
            10..100 => ([b, c, b'.', 0], 3),
            _ => ([a, b, c, b'.'], 4),
        };
        octet += 1;
    }
    octets
};

impl Write for PeerText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
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
            let peer = Peer::new(address.parse().unwrap());
            assert_eq!(peer.text().as_str(), text);
            assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn every_number_prints_as_the_standard_library_prints_it() {
        for port in 0..=u16::MAX {
            let [high, low] = port.to_be_bytes();
            let address: SocketAddr = ([high, low, !high, !low], port).into();
            assert_eq!(Peer::new(address).text().as_str(), address.to_string());
        }
    }

    #[test]
    fn the_longest_text_has_room() {
        let longest = SocketAddrV6::new([0xffff; 8].into(), 65535, 0, u32::MAX);
        let text = Peer::new(longest.into()).text();
        assert_eq!(text.as_str(), longest.to_string());
        assert_eq!(text.as_str().len(), LONGEST);
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
