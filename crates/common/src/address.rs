//! Addresses: as users write them, what they stand for, and how they print.
//!
//! | written | to listen on | to go to |
//! |---|---|---|
//! | `192.0.2.1:7000` | that address and port | the same |
//! | `[::1]:7000` | the same, IPv6 only | the same |
//! | `host:7000` | every address of that name | each in order, until one answers |
//! | `host:ssh` | the port of that service | the same |
//! | `[fe80::1%eth0]:7000` | a link-local address and its interface | the same |
//! | `:7000` | every address of both families | 127.0.0.1, or ::1 with `-6` |
//! | the host alone | the tutorial's port, 6666 | the same |
//!
//! When a server listens on port 0, the system chooses the port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::port::{ParseOver, parse_port, port_over};
use crate::protocol::{self, Transport};
use crate::resolver::{self, Unresolved};

/// A host as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// No host: to listen on every address, to go to this machine.
    Any,
    /// An IP address.
    Ip(IpAddr),
    /// A link-local IPv6 address and the interface of its link.
    Scoped(Ipv6Addr, String),
    /// A name, which the system's resolver knows.
    Name(String),
}

/// A host and a port as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host; [`Host::Any`] if only a port was written.
    pub host: Host,
    /// The port; `None` if only a host was written.
    pub port: Option<u16>,
}

impl Address {
    /// The port that was written, or else the tutorial's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(protocol::PORT)
    }
}

impl Default for Address {
    /// Where the tutorial's servers listen.
    fn default() -> Self {
        Self { host: Host::Ip(protocol::LISTEN_HOST.into()), port: Some(protocol::PORT) }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, parse_port)
    }
}

impl ParseOver for Address {
    fn parse_over(transport: Transport, text: &str) -> Result<Self, String> {
        Self::parse(text, |port| port_over(transport, port))
    }
}

impl Address {
    fn parse(text: &str, parse_port: impl Fn(&str) -> Result<u16, String>) -> Result<Self, String> {
        if text.contains(',') {
            return Err("one address at a time".to_owned());
        }
        if text.contains("://") {
            return Err("a URL is no address: write HOST:PORT".to_owned());
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (host, rest) = bracketed.split_once(']').ok_or("a ']' is missing")?;
            let host = parse_ipv6(host)?.ok_or("no IPv6 address between the brackets")?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(parse_port(port)?),
                None if rest.is_empty() => None,
                None => return Err("after ']' comes a colon and a port, or nothing".to_owned()),
            };
            return Ok(Self { host, port });
        }
        if let Some(host) = parse_ipv6(text)? {
            return match with_port(text) {
                Some(bracketed) => {
                    Err(format!("with a port it is written {bracketed}, and without one [{text}]"))
                }
                None => Ok(Self { host, port: None }),
            };
        }
        match text.rsplit_once(':') {
            Some(("", port)) => Ok(Self { host: Host::Any, port: Some(parse_port(port)?) }),
            Some((host, _)) if host.contains(':') => Err(match with_port(text) {
                Some(bracketed) => format!("with a port it is written {bracketed}"),
                None if text.bytes().all(|b| b.is_ascii_hexdigit() || b":.".contains(&b)) => {
                    UNBRACKETED.to_owned()
                }
                None => "more than a host and a port".to_owned(),
            }),
            Some((host, port)) => Ok(Self { host: host.parse()?, port: Some(parse_port(port)?) }),
            None => Ok(Self { host: text.parse()?, port: None }),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    /// A host without a port; brackets around an IPv6 address are optional.
    fn from_str(text: &str) -> Result<Self, String> {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(host) = parse_ipv6(inner.unwrap_or(text))? {
            return Ok(host);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(IpAddr::V4(ip)));
        }
        if text.is_empty() {
            return Err("no host".to_owned());
        }
        if text == "*" {
            return Err("every address is written as a port alone: :PORT".to_owned());
        }
        if parse_port(text).is_ok() {
            return Err(format!("not a host (a port alone is written :{text})"));
        }
        // The resolver would take 010.0.0.1 for 8.0.0.1, and 10.1 for 10.0.0.1
        // (inet_aton(3)). No top-level domain is a number: RFC 3696, section 2.
        let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
            return Err("not an IPv4 address".to_owned());
        }
        // Lengths: RFC 1035, section 2.3.4. The resolver judges the rest.
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
        if text.len() <= 253 && text.chars().all(is_name) && !text.starts_with(['-', '.']) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err("not a host name".to_owned())
        }
    }
}

/// Parses an IPv6 address, with or without a zone (RFC 4007, section 11). `None` if `text` is
/// not an IPv6 address. An IPv4-mapped address becomes the IPv4 address that it maps.
fn parse_ipv6(text: &str) -> Result<Option<Host>, String> {
    let (ip, zone) = match text.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (text, None),
    };
    let Ok(ip) = ip.parse::<Ipv6Addr>() else {
        return Ok(None);
    };
    let is_zone = |c: char| c.is_ascii_graphic() && !matches!(c, ']' | '[' | '/' | '%' | ':');
    match zone {
        Some(zone) if zone.contains(':') => Err(UNBRACKETED.to_owned()),
        Some(zone) if zone.is_empty() || !zone.chars().all(is_zone) => {
            Err("no interface after the '%'".to_owned())
        }
        Some(zone) => Ok(Some(Host::Scoped(ip, zone.to_owned()))),
        None if ip.is_unicast_link_local() => {
            Err(format!("on which interface? it is written {ip}%eth0"))
        }
        None => Ok(Some(Host::Ip(ip.to_canonical()))),
    }
}

/// The IPv6 address and the port that `text` may be, or may be meant to be: `::1:6666`, whose last
/// part also looks like a part of an address, and `::1:16666`.
fn with_port(text: &str) -> Option<String> {
    let (ip, port) = text.rsplit_once(':')?;
    let is_pair = ip.parse::<Ipv6Addr>().is_ok() && parse_port(port).is_ok();
    is_pair.then(|| format!("[{ip}]:{port}"))
}

const UNBRACKETED: &str = "not an IPv6 address (with a port it is written [ADDRESS]:PORT)";

/// What the first of two words says, of which the second may be the port.
#[derive(Clone, Debug)]
pub enum Place {
    /// An address.
    Address(Address),
    /// An IPv6 address that seems to end in a port, and is clear only if the port follows.
    Unclear {
        /// The whole as an address.
        host: Host,
        /// How it is written clearly.
        reason: String,
    },
}

impl Place {
    /// The host, if the port follows.
    #[must_use]
    pub fn host(&self) -> &Host {
        match self {
            Self::Address(address) => &address.host,
            Self::Unclear { host, .. } => host,
        }
    }

    fn new(text: &str, parsed: Result<Address, String>) -> Result<Self, String> {
        match (parsed, parse_ipv6(text)) {
            (Ok(address), _) => Ok(Self::Address(address)),
            (Err(reason), Ok(Some(host))) => Ok(Self::Unclear { host, reason }),
            (Err(reason), _) => Err(reason),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text, text.parse())
    }
}

impl ParseOver for Place {
    fn parse_over(transport: Transport, text: &str) -> Result<Self, String> {
        Self::new(text, Address::parse_over(transport, text))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Scoped(ip, zone) => write!(f, "{ip}%{zone}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `address`, or the IPv4 address that it stands for: `[::ffff:192.0.2.1]:7000` is
/// `192.0.2.1:7000`, where an IPv6 socket serves IPv4 peers (ipv6(7)).
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host @ (Host::Ip(IpAddr::V6(_)) | Host::Scoped(..)) => write!(f, "[{host}]")?,
            host => write!(f, "{host}")?,
        }
        write!(f, ":{}", self.port())
    }
}

impl Host {
    /// The addresses that the host stands for, in the resolver's order (RFC 6724); none for
    /// [`Host::Any`]. Blocks for as long as the system's resolver takes.
    ///
    /// # Errors
    /// The resolver knows of no address, or it is not there.
    pub fn resolve(&self, port: u16) -> Result<Vec<SocketAddr>, Unresolved> {
        match self {
            Self::Any => Ok(Vec::new()),
            Self::Ip(ip) => Ok(vec![SocketAddr::new(*ip, port)]),
            // Only the system's resolver knows the interfaces' numbers.
            Self::Scoped(..) => {
                resolver::addresses(&self.to_string(), port).map_err(|unresolved| {
                    let reason = "no such interface, or no need of one".to_owned();
                    Unresolved { reason, ..unresolved }
                })
            }
            Self::Name(name) => resolver::addresses(name, port),
        }
    }
}

#[cfg(test)]
mod tests;
