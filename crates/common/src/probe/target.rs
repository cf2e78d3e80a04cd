//! What a client talks to, from where, and for how long: the options that say so. Also
//! resolves the names, within the time allowed.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use clap::Args;

use crate::address::{Address, Host, Place};
use crate::duration;
use crate::exit::Failure;
use crate::options::{Parse, Text, text};
use crate::port::{Port, parse_port};
use crate::probe::destination::Destination;
use crate::probe::dscp;
use crate::probe::egress::{Egress, LONGEST_NAME};
use crate::probe::outcome::Outcome;
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::protocol::{PORT, TARGET_HOST};
use crate::resolver::{self, Unresolved};
use crate::{checked, taken};

/// The options that say what a client talks to.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Target {
    /// Where to go [default: 127.0.0.1:6666]
    #[arg(value_name = "HOST[:PORT]")]
    address: Option<Place>,

    /// The port, if HOST has none
    port: Option<Port>,

    /// Use IPv4 only
    #[arg(short = '4', overrides_with = "ipv6")]
    ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', overrides_with = "ipv4")]
    ipv6: bool,

    /// Send from this address of this machine
    #[arg(short, long, value_name = "ADDR", value_parser = checked!(parse_source))]
    source: Option<Host>,

    /// Send from this port
    #[arg(long, value_name = "PORT", value_parser = checked!(parse_port))]
    source_port: Option<u16>,

    /// Send and receive by this interface (or VRF) alone
    #[arg(long, value_name = "NAME", value_parser = text(LONGEST_NAME))]
    interface: Option<Text>,

    /// Mark what is sent: 0 to 63, or EF, CS0 to CS7, AF11 to AF43
    #[arg(long, value_name = "N", value_parser = dscp::parse as Parse<u64>)]
    dscp: Option<u64>,

    /// How long one exchange may take
    #[arg(short = 'W', long, value_name = "DUR", default_value = "5s", value_parser = checked!(duration::parse))]
    timeout: Duration,
}

taken!(Target { address, port, ipv4, ipv6, source, source_port, interface, dscp, timeout });

/// Parses an address of this machine.
fn parse_source(text: &str) -> Result<Host, String> {
    let has_port = |address: Address| address.port.is_some();
    match text.parse() {
        Ok(Host::Name(name)) if resolver::is_interface(&name) => {
            Err(format!("an interface: write --interface {name}, or an address that it has"))
        }
        Err(_) if text.parse().is_ok_and(has_port) => {
            Err("an address alone is wanted (the port goes with --source-port)".to_owned())
        }
        parsed => parsed,
    }
}

/// The result of resolving a target.
#[derive(Debug)]
pub enum Resolved {
    /// There are addresses to go to, and to send from.
    Destination(Destination),
    /// There are no such addresses. The outcome says why, in place of an exchange.
    Nowhere(Outcome),
}

impl Resolved {
    fn nowhere(verdict: Verdict, cause: Option<Cause>, why: impl Display) -> Self {
        let mut trouble = Trouble::new(verdict, why);
        trouble.cause = cause;
        Self::Nowhere(Outcome::failed(None, trouble))
    }

    fn unresolved(cause: Cause, why: impl Display) -> Self {
        Self::nowhere(Verdict::Unresolved, Some(cause), why)
    }

    /// The resolver did not answer within `limit`.
    pub(crate) fn not_within(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::unresolved(Cause::NoResolver, format_args!("name not resolved within {limit}"))
    }
}

impl Target {
    /// How long one exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The target for an exchange that others follow at once. If all of them have to leave from
    /// one port, each has `limit` at most, so that the next one can.
    #[must_use]
    pub fn by_turns(&self, limit: Duration) -> Self {
        let timeout = if self.has_source_port() { self.timeout.min(limit) } else { self.timeout };
        Self { timeout, ..self.copied() }
    }

    /// The same target. It has many parts, and is cloned in several places.
    #[must_use]
    #[inline(never)]
    pub fn copied(&self) -> Self {
        self.clone()
    }

    /// Whether the target or the source is a name, which takes time to resolve.
    #[must_use]
    pub fn has_name(&self) -> bool {
        let is_name = |host: &Host| matches!(host, Host::Name(_));
        self.address.as_ref().is_some_and(|place| is_name(place.host()))
            || self.source.as_ref().is_some_and(is_name)
    }

    /// How what is sent leaves this machine.
    #[must_use]
    pub fn egress(&self) -> Egress {
        let dscp = self.dscp.and_then(|dscp| u8::try_from(dscp).ok());
        Egress { interface: self.interface.clone(), dscp }
    }

    /// Whether a port to send from was asked for.
    #[must_use]
    pub fn has_source_port(&self) -> bool {
        self.source_port.is_some_and(|port| port != 0)
    }

    /// Checks that each of `flows` flows has a port to send from, if the first one's was asked
    /// for.
    ///
    /// # Errors
    /// The last one's would be above 65535.
    pub fn check_flows(&self, flows: u32) -> Result<(), Failure> {
        let Some(first) = self.source_port.filter(|port| *port != 0) else {
            return Ok(());
        };
        let last = u32::from(first) + flows.saturating_sub(1);
        if last <= u32::from(u16::MAX) {
            return Ok(());
        }
        let reason = format!("the last of {flows} flows would send from {last}, above 65535");
        Err(Failure::usage(format_args!("--source-port {first}"), reason))
    }

    /// The address that was asked for, written as `HOST:PORT` or as `HOST PORT`.
    ///
    /// # Errors
    /// A client cannot go to the address as it is written.
    pub fn written(&self) -> Result<Address, Failure> {
        let mut address = match (&self.address, self.port) {
            (None, _) => Address { host: Host::Any, port: None },
            (Some(Place::Address(address)), _) => address.clone(),
            (Some(Place::Unclear { host, .. }), Some(_)) => {
                Address { host: host.clone(), port: None }
            }
            (Some(Place::Unclear { host, reason }), None) => {
                return Err(Failure::usage(host, reason));
            }
        };
        match (address.port, self.port.map(|Port(port)| port)) {
            (Some(_), Some(second)) => {
                return Err(Failure::usage(second, format!("{address} has a port already")));
            }
            (port, second) => address.port = port.or(second).or(Some(PORT)),
        }
        if address.host == Host::Any {
            let here = if self.ipv6 { Ipv6Addr::LOCALHOST.into() } else { TARGET_HOST.into() };
            address.host = Host::Ip(here);
        }
        let is_of_many = match &address.host {
            Host::Ip(ip) => *ip == IpAddr::V4(Ipv4Addr::BROADCAST) || ip.is_multicast(),
            Host::Scoped(ip, _) => ip.is_multicast(),
            Host::Any | Host::Name(_) => false,
        };
        if is_of_many {
            return Err(Failure::usage(address, "not the address of one machine"));
        }
        if address.port == Some(0) {
            return Err(Failure::usage(address, "nobody can be reached at port 0"));
        }
        Ok(address)
    }

    /// Whether `address` is of a family that `-4` and `-6` allow.
    fn admits(&self, address: &SocketAddr) -> bool {
        if address.is_ipv4() { !self.ipv6 } else { !self.ipv4 }
    }

    /// Resolves the target, and the source if one is given. That may take long, and cannot be
    /// ended early: [`resolving`](crate::probe::resolving) knows what to do.
    ///
    /// # Errors
    /// A client cannot go to the target as it is written, or not from that source.
    pub(crate) fn look_up(&self) -> Result<Resolved, Failure> {
        let written = self.written()?;
        let nowhere = |why: String| Ok(Resolved::nowhere(Verdict::Local, None, why));
        if let Err(why) = self.egress().check() {
            return nowhere(why);
        }
        let sources = match self.resolve_source() {
            Ok(sources) => sources,
            Err(why) => return nowhere(why),
        };
        let is_name = matches!(written.host, Host::Name(_));
        let start = Instant::now();
        let mut addresses = match written.host.resolve(written.port()) {
            Ok(addresses) => addresses,
            Err(Unresolved { is_no_such_name, reason }) if is_name => {
                let cause = if is_no_such_name { Cause::NoSuchName } else { Cause::NoResolver };
                return Ok(Resolved::unresolved(cause, reason));
            }
            Err(unresolved) => return Err(Failure::local(&written, unresolved.reason)),
        };
        let resolve = is_name.then(|| start.elapsed());
        addresses.retain(|address| self.admits(address));
        if addresses.is_empty() {
            let family = if self.ipv4 { "no IPv4 address" } else { "no IPv6 address" };
            if is_name {
                return Ok(Resolved::unresolved(Cause::NoSuchName, family));
            }
            return Err(Failure::usage(&written, family));
        }
        if self.source.is_some() {
            let same = |a: &SocketAddr| sources.iter().any(|s| s.is_ipv4() == a.is_ipv4());
            addresses.retain(same);
            if addresses.is_empty() {
                return Err(Failure::usage(&written, "not of the source address's family"));
            }
        }
        let destination = Destination::new(addresses, self.timeout);
        let destination = destination.with_sources(sources).with_resolve(resolve);
        Ok(Resolved::Destination(destination.with_dscp(self.egress().dscp)))
    }

    /// The addresses to send from; none if any will do.
    fn resolve_source(&self) -> Result<Vec<SocketAddr>, String> {
        let port = self.source_port.unwrap_or(0);
        let Some(host) = &self.source else {
            let every = [IpAddr::V4([0; 4].into()), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            let every = every.map(|ip| SocketAddr::new(ip, port));
            return Ok(if self.source_port.is_some() { every.into() } else { Vec::new() });
        };
        let failed = |why: String| format!("cannot send from {host}: {why}");
        let sources = host.resolve(port).map_err(|error| {
            let hint =
                if error.is_no_such_name { "; write an address of this machine" } else { "" };
            failed(error.reason + hint)
        })?;
        // If this machine does not have the source address, say so once here, and not for
        // each attempt.
        if let &[mut source] = sources.as_slice() {
            source.set_port(0);
            self.egress().bind(source).map_err(failed)?;
        }
        Ok(sources)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::of_words;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        target: Target,
    }

    taken!(Cli { target });

    fn written(words: &[&str]) -> String {
        match of_words::<Cli>([&["test"], words].concat()) {
            Err(error) => format!("{:?}", error.kind()),
            Ok(cli) => match cli.target.written() {
                Ok(address) => address.to_string(),
                Err(failure) => failure.to_string(),
            },
        }
    }

    #[test]
    fn both_ways_to_write_a_target() {
        for (words, address) in [
            (&[][..], "127.0.0.1:6666"),
            (&["-6"], "[::1]:6666"),
            (&[":7000"], "127.0.0.1:7000"),
            (&["-6", ":7000"], "[::1]:7000"),
            (&["box"], "box:6666"),
            (&["box:7000"], "box:7000"),
            (&["box", "7000"], "box:7000"),
            (&["::1", "7000"], "[::1]:7000"),
            (
                &["::1:7000"],
                "::1:7000: with a port it is written [::1]:7000, and without one [::1:7000]",
            ),
            (&["::1:7000", "80"], "[::1:7000]:80"),
            (&["[::1:7000]"], "[::1:7000]:6666"),
            (&["box:7000", "7001"], "7001: box:7000 has a port already"),
            (&["255.255.255.255"], "255.255.255.255:6666: not the address of one machine"),
            (&["ff02::1"], "[ff02::1]:6666: not the address of one machine"),
            (&["box", "0"], "box:0: nobody can be reached at port 0"),
            (&["box", "hello"], "ValueValidation"),
            (&["-4", "-6"], "[::1]:6666"),
            (&["-6", "-4"], "127.0.0.1:6666"),
        ] {
            assert_eq!(written(words), address, "{words:?}");
        }
    }
}
