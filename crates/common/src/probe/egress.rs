//! How what is sent leaves this machine: the options `--interface` and `--dscp`, which hold for
//! every socket whose datagrams or segments go to the target.

use std::net::SocketAddr;

use nix::Error as Errno;
use nix::libc;
use socket2::{Domain, Socket, Type};

use crate::exit::reason;
use crate::options::Text;
use crate::printable::printable;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;

/// The longest name of an interface, in bytes. The kernel would cut a longer one, and so might
/// take another interface (`SO_BINDTODEVICE`, socket(7)).
pub(crate) const LONGEST_NAME: usize = libc::IFNAMSIZ - 1;

/// How a socket's traffic leaves this machine.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// The interface that alone may be used.
    pub(crate) interface: Option<Text>,
    /// What datagrams and segments are marked with.
    pub(crate) dscp: Option<u8>,
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
        let Some(Text(name)) = &self.interface else {
            return Ok(());
        };
        let bound = match &name[..] {
            // To the kernel that means any interface.
            [] => Err(Errno::ENODEV.into()),
            name => socket.bind_device(Some(name)),
        };
        bound.map_err(|error| {
            format!("cannot use interface {}: {}", printable(name), reason(&error))
        })
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
    fn a_name_that_no_interface_can_have_is_none() {
        for (name, shown) in
            [("", ""), ("a/b", "a/b"), ("\u{1b}[31m", "\\x1b[31m"), ("10.0.0.1", "10.0.0.1")]
        {
            let egress = Egress { interface: Some(Text(name.into())), dscp: None };
            let expected = format!("cannot use interface {shown}: no such device");
            assert_eq!(egress.check(), Err(expected));
        }
        assert_eq!(Egress::default().check(), Ok(()));
    }
}
