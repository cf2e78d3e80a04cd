//! Listening on what an address stands for.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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

impl Address {
    /// Has `open` make a listening socket for every address that this one
    /// stands for.
    ///
    /// Addresses of a family that this machine does not have are passed over,
    /// as long as another one is left: a name like `localhost` often has both.
    ///
    /// # Errors
    /// Names the address that could not be listened on.
    pub fn listen<T>(
        &self,
        open: impl Fn(SocketAddr, Families) -> io::Result<T>,
    ) -> Result<Vec<T>, Failure> {
        let port = self.port();
        if self.host == Host::Any {
            let every = |ip: IpAddr| SocketAddr::new(ip, port);
            let opened = match open(every(Ipv6Addr::UNSPECIFIED.into()), Families::Both) {
                Err(error) if is_missing(&error) => {
                    open(every(Ipv4Addr::UNSPECIFIED.into()), Families::Own)
                }
                opened => opened,
            };
            return match opened {
                Ok(socket) => Ok(vec![socket]),
                Err(error) => Err(Failure::local(self, reason(&error))),
            };
        }
        let addresses = self.host.resolve(port).map_err(|e| Failure::local(self, reason(&e)))?;
        let mut sockets = Vec::new();
        let mut missing = None;
        for address in addresses {
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
}

/// Whether this machine has no such address, or not even its family.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(nix::Error::EAFNOSUPPORT as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_falls_back_to_ipv4_where_there_is_no_ipv6() {
        let without_ipv6 = |address: SocketAddr, _| match address {
            SocketAddr::V4(_) => Ok(address.to_string()),
            SocketAddr::V6(_) => Err(io::Error::from(nix::Error::EAFNOSUPPORT)),
        };
        let any: Address = ":7000".parse().unwrap();
        assert_eq!(any.listen(without_ipv6), Ok(vec!["0.0.0.0:7000".to_owned()]));
    }

    #[test]
    fn an_address_in_use_is_named() {
        let in_use = |_, _| -> io::Result<()> { Err(ErrorKind::AddrInUse.into()) };
        let failure = "127.0.0.1:7000".parse::<Address>().unwrap().listen(in_use).unwrap_err();
        assert_eq!(failure.to_string(), "127.0.0.1:7000: address in use");
    }
}
