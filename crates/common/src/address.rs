//! Addresses: as users write them, what they stand for, and how they print.
//!
//! | written | to listen on | to go to |
//! |---|---|---|
//! | `192.0.2.1:7000` | that address and port | the same |
//! | `[::1]:7000` | the same, IPv6 only | the same |
//! | `host:7000` | every address of that name | each in order, until one answers |
//! | `[fe80::1%eth0]:7000` | a link-local address and its interface | the same |
//! | `:7000` | every address of both families | 127.0.0.1, or ::1 with `-6` |
//! | the host alone | the tutorial's port, 6666 | the same |
//!
//! When a server listens on port 0, the system chooses the port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::port::parse_port;
use crate::protocol;
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
            return Ok(Self { host, port: None });
        }
        match text.rsplit_once(':') {
            Some(("", port)) => Ok(Self { host: Host::Any, port: Some(parse_port(port)?) }),
            Some((host, _)) if host.contains(':') => Err(UNBRACKETED.to_owned()),
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

const UNBRACKETED: &str = "not an IPv6 address (with a port it is written [ADDRESS]:PORT)";

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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> String {
        match text.parse::<Address>() {
            Ok(address) => address.to_string(),
            Err(reason) => format!("error: {reason}"),
        }
    }

    #[test]
    fn every_form_that_users_write() {
        for (text, address) in [
            ("192.0.2.1:7000", "192.0.2.1:7000"),
            ("192.0.2.1", "192.0.2.1:6666"),
            ("host.example:7000", "host.example:7000"),
            ("localhost", "localhost:6666"),
            ("[::1]:7000", "[::1]:7000"),
            ("[::1]", "[::1]:6666"),
            ("::1", "[::1]:6666"),
            ("::", "[::]:6666"),
            ("fe80::1%eth0", "[fe80::1%eth0]:6666"),
            ("[fe80::1%eth0]:7000", "[fe80::1%eth0]:7000"),
            ("[::ffff:192.0.2.1]:7000", "192.0.2.1:7000"),
            (":7000", ":7000"),
            (":0", ":0"),
            ("中文.example", "中文.example:6666"),
        ] {
            assert_eq!(parsed(text), address, "{text}");
        }
    }

    #[test]
    fn an_invalid_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "no host"),
            (":", "no port after the colon"),
            ("7000", "not a host (a port alone is written :7000)"),
            ("host:", "no port after the colon"),
            ("010.0.0.1", "not an IPv4 address"),
            ("10.1:80", "not an IPv4 address"),
            ("0x7f.1", "not an IPv4 address"),
            ("127.0x1", "not an IPv4 address"),
            ("1.2.3.4.5", "not an IPv4 address"),
            ("99999999", "not an IPv4 address"),
            ("host:http", "'http' is not a port"),
            ("host:70000", "port 70000 is above 65535"),
            ("host:+80", "'+80' is not a port"),
            ("[::1", "a ']' is missing"),
            ("[::1]7000", "after ']' comes a colon and a port, or nothing"),
            ("[1.2.3.4]:80", "no IPv6 address between the brackets"),
            (
                "::1:2:3:4:5:6:7:8:9",
                "not an IPv6 address (with a port it is written [ADDRESS]:PORT)",
            ),
            ("fe80::1%eth0:80", "not an IPv6 address (with a port it is written [ADDRESS]:PORT)"),
            ("http://host:80", "a URL is no address: write HOST:PORT"),
            ("fe80::1", "on which interface? it is written fe80::1%eth0"),
            ("[fe80::1%]:7000", "no interface after the '%'"),
            ("two words", "not a host name"),
            ("-rf", "not a host name"),
        ] {
            assert_eq!(parsed(text), format!("error: {reason}"), "{text}");
        }
    }

    fn any_host() -> impl Strategy<Value = Host> {
        prop_oneof![
            Just(Host::Any),
            any::<IpAddr>().prop_filter_map("link-local", |ip| match ip {
                IpAddr::V6(ip) if ip.is_unicast_link_local() => None,
                ip => Some(Host::Ip(ip.to_canonical())),
            }),
            (any::<Ipv6Addr>(), "[a-z][a-z0-9]{0,14}")
                .prop_map(|(ip, zone)| Host::Scoped(ip, zone)),
            "[a-z][a-z0-9-]{0,20}(\\.[a-z][a-z0-9]{0,8}){0,3}".prop_map(Host::Name),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(host in any_host(), port: u16) {
            let address = Address { host, port: Some(port) };
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn any_text_is_an_address_or_an_error(text in "\\PC*|[0-9a-f:.%\\[\\]]*") {
            if let Ok(address) = text.parse::<Address>() {
                let port = Some(address.port());
                prop_assert_eq!(address.to_string().parse(), Ok(Address { port, ..address }));
            }
        }
    }
}
