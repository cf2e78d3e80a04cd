//! Where a server listens: the part of the command line that both servers
//! have, and a socket for every address that it stands for.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;

use crate::address::{Address, Host};
use crate::exit::{Failure, reason};

/// Which families a listening socket takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// That of its address alone, whatever `net.ipv6.bindv6only` says: so
    /// `0.0.0.0:6666` and `[::]:6666` can be listened on together.
    Own,
    /// An IPv6 socket takes IPv4 peers too.
    Both,
}

/// The options that say where a server listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Where to listen (repeatable)
    #[arg(short, long, value_name = "ADDR", default_values_t = [Address::default()])]
    listen: Vec<Address>,
}

/// What a server's `--help` adds.
pub const HELP: &str = "\
ADDR is HOST:PORT, HOST, [IPV6]:PORT, or :PORT for every address of both families;
port 0 lets the system choose. Ctrl-C stops the server, which then tells its totals.

Exit status: 0 stopped by a signal, 1 the event loop broke, 2 usage, or could not listen.";

impl Listen {
    /// Has `open` make a listening socket for every address asked for.
    ///
    /// # Errors
    /// Names the address that could not be listened on.
    pub fn open<T>(
        &self,
        open: impl Fn(SocketAddr, Families) -> io::Result<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut sockets = Vec::new();
        for address in &self.listen {
            match address.host {
                Host::Any => sockets.push(open_any(address, &open)?),
                _ => sockets.extend(open_each(address, &open)?),
            }
        }
        Ok(sockets)
    }
}

/// One socket for both families, or for IPv4 where there is no IPv6.
fn open_any<T>(
    address: &Address,
    open: impl Fn(SocketAddr, Families) -> io::Result<T>,
) -> Result<T, Failure> {
    let every = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match open(every(Ipv6Addr::UNSPECIFIED.into()), Families::Both) {
        Err(error) if is_missing(&error) => {
            open(every(Ipv4Addr::UNSPECIFIED.into()), Families::Own)
        }
        opened => opened,
    }
    .map_err(|error| Failure::local(address, reason(&error)))
}

/// A socket for every address of a host. Those of a family that this machine
/// does not have are passed over, as long as another one is left: a name like
/// `localhost` often has both.
fn open_each<T>(
    address: &Address,
    open: impl Fn(SocketAddr, Families) -> io::Result<T>,
) -> Result<Vec<T>, Failure> {
    let resolved = address.host.resolve(address.port());
    let mut sockets = Vec::new();
    let mut missing = None;
    for address in resolved.map_err(|error| Failure::local(address, reason(&error)))? {
        match open(address, Families::Own) {
            Ok(socket) => sockets.push(socket),
            Err(error) if is_missing(&error) => missing = Some((address, error)),
            Err(error) => return Err(Failure::local(address, reason(&error))),
        }
    }
    match missing {
        Some((address, error)) if sockets.is_empty() => {
            Err(Failure::local(address, reason(&error)))
        }
        _ => Ok(sockets),
    }
}

/// Whether this machine has no such address, or not even its family.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(nix::Error::EAFNOSUPPORT as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(address: &str) -> Listen {
        Listen { listen: vec![address.parse().unwrap()] }
    }

    #[test]
    fn any_falls_back_to_ipv4_where_there_is_no_ipv6() {
        let without_ipv6 = |address: SocketAddr, _| match address {
            SocketAddr::V4(_) => Ok(address.to_string()),
            SocketAddr::V6(_) => Err(io::Error::from(nix::Error::EAFNOSUPPORT)),
        };
        assert_eq!(listen(":7000").open(without_ipv6), Ok(vec!["0.0.0.0:7000".to_owned()]));
        let missing = listen("[::1]:7000").open(without_ipv6).unwrap_err();
        assert_eq!(missing.to_string(), "[::1]:7000: address family not supported by protocol");
    }

    #[test]
    fn an_address_in_use_is_named() {
        let in_use = |_, _| -> io::Result<()> { Err(ErrorKind::AddrInUse.into()) };
        for address in ["127.0.0.1:7000", ":7000"] {
            let failure = listen(address).open(in_use).unwrap_err();
            assert_eq!(failure.to_string(), format!("{address}: address in use"));
        }
    }
}
