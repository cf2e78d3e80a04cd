//! ICMP errors: what they say, and who sent them.
//!
//! The types and codes of IPv4 are in RFC 792, RFC 1122 (section 3.2.2.1) and RFC
//! 1812 (section 5.2.7.1), those of IPv6 in RFC 4443.

use std::fmt;
use std::net::IpAddr;

use crate::probe::outcome::verdict::Verdict;

/// An ICMP error that came back for something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The protocol that the type and the code belong to.
    pub version: Version,
    /// The type of the error.
    pub kind: u8,
    /// The code of the error.
    pub code: u8,
    /// Who sent the error: a router on the way, or the target itself.
    pub router: Option<IpAddr>,
    /// The largest packet, in bytes, that the next link takes, if the error says so (RFC 1191, RFC
    /// 4443).
    pub mtu: Option<u32>,
}

/// A link on the way that a datagram was too large for, as an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// Who says so; none if it is this machine, or the system does not report it.
    pub router: Option<IpAddr>,
    /// The largest packet, in bytes, that the link takes; none if the error does not say.
    pub mtu: Option<u32>,
}

impl fmt::Display for Narrow {
    /// `10.1.3.2 says that a link takes 1280 bytes at most`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(router) = self.router {
            write!(f, "{router} says that ")?;
        }
        match self.mtu {
            Some(mtu) => write!(f, "a link takes {mtu} bytes at most"),
            None => f.write_str("a link takes no packet of that size"),
        }
    }
}

/// The two protocols, whose types and codes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// ICMP, of IPv4.
    V4,
    /// ICMPv6.
    V6,
}

impl IcmpError {
    /// The verdict on an exchange that meets this error.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.version, self.kind, self.code) {
            (Version::V4, 3, 3) | (Version::V6, 1, 4) => Verdict::Refused,
            _ => Verdict::Unreachable,
        }
    }

    /// Whether a router says that the hop limit was used up on the way.
    #[must_use]
    pub fn is_hop_limit(&self) -> bool {
        matches!((self.version, self.kind, self.code), (Version::V4, 11, 0) | (Version::V6, 3, 0))
    }

    /// Whether nobody listens on the port.
    #[must_use]
    pub fn is_port_unreachable(&self) -> bool {
        self.verdict() == Verdict::Refused
    }

    /// Whether the datagram was too large for a link on the way. The kernel has now
    /// learnt what size fits, so that sending again may succeed.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!((self.version, self.kind, self.code), (Version::V4, 3, 4) | (Version::V6, 2, _))
    }

    /// The error in words: `host prohibited`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { version, kind, code, .. } = self;
        let what = match version {
            Version::V4 => words_v4(*kind, *code),
            Version::V6 => words_v6(*kind, *code),
        };
        what.map_or_else(|| format!("ICMP type {kind}, code {code}"), str::to_owned)
    }
}

fn words_v4(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "too large for the way",
        (3, 5) => "source route failed",
        (3, 6) => "network unknown",
        (3, 7) => "host unknown",
        (3, 8) => "source host isolated",
        (3, 9) => "network prohibited",
        (3, 10) => "host prohibited",
        (3, 11) => "network unreachable for this type of service",
        (3, 12) => "host unreachable for this type of service",
        (3, 13) => "prohibited by a filter",
        (3, 14 | 15) => "prohibited by its precedence",
        (11, 0) => "too many hops",
        (11, 1) => "a fragment was lost",
        (12, _) => "a bad header",
        _ => return None,
    })
}

fn words_v6(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (1, 0) => "no route",
        (1, 1) => "prohibited by a filter",
        (1, 2) => "beyond the scope of the source address",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, 5) => "source address prohibited",
        (1, 6) => "route rejected",
        (1, 7) => "bad source route",
        (2, _) => "too large for the way",
        (3, 0) => "too many hops",
        (3, 1) => "a fragment was lost",
        (4, _) => "a bad header",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_a_verdict_and_words() {
        for (version, kind, code, verdict, words) in [
            (Version::V4, 3, 3, Verdict::Refused, "port unreachable"),
            (Version::V6, 1, 4, Verdict::Refused, "port unreachable"),
            (Version::V4, 3, 1, Verdict::Unreachable, "host unreachable"),
            (Version::V4, 3, 13, Verdict::Unreachable, "prohibited by a filter"),
            (Version::V6, 1, 1, Verdict::Unreachable, "prohibited by a filter"),
            (Version::V6, 1, 3, Verdict::Unreachable, "address unreachable"),
            (Version::V4, 11, 0, Verdict::Unreachable, "too many hops"),
            (Version::V4, 77, 7, Verdict::Unreachable, "ICMP type 77, code 7"),
        ] {
            let error = IcmpError { version, kind, code, router: None, mtu: None };
            assert_eq!(error.verdict(), verdict, "{words}");
            assert_eq!(error.words(), words);
            assert!(!error.is_too_large());
        }
    }
}
