//! How what is sent leaves this machine: the options `--interface` and `--dscp`, which hold for
//! every socket whose datagrams or segments go to the target.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use nix::libc;
use socket2::{Domain, Socket, Type};

use crate::exit::reason;
use crate::probe::dscp;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;

/// The longest name of an interface, in bytes. The kernel would cut a longer one, and so might
/// take another interface (`SO_BINDTODEVICE`, socket(7)).
const LONGEST_NAME: usize = libc::IFNAMSIZ - 1;

/// The options that say how a socket's traffic leaves this machine.
#[derive(Args, Clone, Debug, Default)]
pub struct Egress {
    /// Send and receive by this interface (or VRF) alone
    #[arg(long, value_name = "NAME", value_parser = parse_interface)]
    interface: Option<String>,

    /// Mark what is sent: 0 to 63, or EF, CS0 to CS7, AF11 to AF43
    #[arg(long, value_name = "N", value_parser = dscp::parse)]
    dscp: Option<u8>,
}

/// Parses the name of an interface, as dev_valid_name() of the kernel allows it. An empty one
/// would bind to none.
fn parse_interface(text: &str) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Err("an address: write --source ADDR".to_owned());
    }
    let is_part = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '/' | ':'));
    if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(is_part) {
        return Err("not the name of an interface".to_owned());
    }
    Ok(text.to_owned())
}

impl Egress {
    /// The DSCP that is asked for.
    #[must_use]
    pub fn dscp(&self) -> Option<u8> {
        self.dscp
    }

    /// Prepares `socket`, which is not bound and not connected yet: only then may any user bind
    /// it to an interface (since Linux 5.7; before, it takes `CAP_NET_RAW`).
    ///
    /// # Errors
    /// There is no such interface, or this user may not choose one; or not that DSCP.
    pub fn prepare(&self, socket: &Socket, is_ipv6: bool) -> Result<(), Trouble> {
        self.try_on(socket, is_ipv6).map_err(|why| Trouble::new(Verdict::Local, why))
    }

    fn try_on(&self, socket: &Socket, is_ipv6: bool) -> Result<(), String> {
        if let Some(dscp) = self.dscp {
            let class = u32::from(dscp) << 2;
            let set = if is_ipv6 { socket.set_tclass_v6(class) } else { socket.set_tos_v4(class) };
            set.map_err(|error| format!("cannot set DSCP {dscp}: {}", reason(&error)))?;
        }
        let Some(name) = &self.interface else {
            return Ok(());
        };
        let bound = socket.bind_device(Some(name.as_bytes()));
        bound.map_err(|error| format!("cannot use interface {name}: {}", reason(&error)))
    }

    /// Tries the options, so that a client says once, and not of each attempt, that it cannot send
    /// as was asked for.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.interface.is_none() { Ok(()) } else { self.socket(Domain::IPV4).map(drop) }
    }

    /// Tries whether this machine has the address of `source`.
    pub(crate) fn bind(&self, source: SocketAddr) -> Result<(), String> {
        let bound = self.socket(Domain::for_address(source))?.bind(&source.into());
        bound.map_err(|error| reason(&error))
    }

    fn socket(&self, domain: Domain) -> Result<Socket, String> {
        let socket = Socket::new(domain, Type::DGRAM, None).map_err(|error| reason(&error))?;
        self.try_on(&socket, domain == Domain::IPV6)?;
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_kernel_would_not_take_as_it_is_is_none() {
        for name in ["lo", "eth0", "vrf-blue", "a@b", "fifteen-letters", "ü"] {
            assert_eq!(parse_interface(name).as_deref(), Ok(name));
        }
        for name in ["", "sixteen-letters!", "a b", "a/b", "eth0:1", "\u{1b}[31m", "\t"] {
            assert_eq!(parse_interface(name).unwrap_err(), "not the name of an interface");
        }
        for address in ["10.0.0.1", "::1"] {
            assert_eq!(parse_interface(address).unwrap_err(), "an address: write --source ADDR");
        }
    }
}
