//! Where a server listens: the part of the command line that both servers
//! have, and a socket for every address that it stands for.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;

use clap::Args;
use listenfd::ListenFd;
use nix::libc;

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

/// Who may listen on the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else.
    Alone,
    /// The other loops of this server (`SO_REUSEPORT`, socket(7)): the kernel
    /// spreads what comes over them. Datagrams to a group come to each, and are
    /// the first one's to answer.
    Workers {
        /// Whether this is the first one's.
        is_first: bool,
    },
}

/// A listening socket of a server's.
pub trait Listening: Sized {
    /// Its socket type, as socket(2) has it.
    const TYPE: libc::c_int;
    /// Its kind in words.
    const KIND: &str;

    /// Listens on `address`.
    ///
    /// # Errors
    /// The system's.
    fn open(address: SocketAddr, families: Families, sharing: Sharing) -> io::Result<Self>;

    /// Takes over a socket that the service manager made.
    ///
    /// # Errors
    /// It is not a listening socket of this kind.
    fn adopt(passed: OwnedFd) -> io::Result<Self>;

    /// The address that it is bound to.
    fn address(&self) -> SocketAddr;
}

/// The options that say where a server listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Where to listen (repeatable)
    #[arg(short, long, value_name = "ADDR", default_values_t = [Address::default()])]
    listen: Vec<Address>,
}

impl Listen {
    /// Listens on every address asked for, or takes over the sockets that the
    /// service manager passes: for each of the `workers` a socket of its own
    /// an address.
    ///
    /// # Errors
    /// Names the address that could not be listened on, or the descriptor.
    pub fn open<L: Listening>(&self, workers: NonZeroUsize) -> Result<Vec<Vec<L>>, Failure> {
        let mut passed = ListenFd::from_env();
        let addresses = if passed.len() > 0 {
            adopt_all(&mut passed, workers)?
        } else {
            self.open_all(|address, families| open_shared(address, families, workers))?
        };
        let mut each: Vec<Vec<L>> = (0..workers.get()).map(|_| Vec::new()).collect();
        for sockets in addresses {
            each.iter_mut().zip(sockets).for_each(|(own, socket)| own.push(socket));
        }
        Ok(each)
    }

    /// Has `open` make what listens, for every address asked for.
    fn open_all<T>(
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

/// A socket of its own for each worker, on one address.
fn open_shared<L: Listening>(
    address: SocketAddr,
    families: Families,
    workers: NonZeroUsize,
) -> io::Result<Vec<L>> {
    let alone = L::open(address, families, Sharing::Alone)?;
    if workers == NonZeroUsize::MIN {
        return Ok(vec![alone]);
    }
    // The first one found the port, and that nobody has it: a socket that may
    // share would share with any other server that does.
    let address = alone.address();
    drop(alone);
    let shared = |n| L::open(address, families, Sharing::Workers { is_first: n == 0 });
    (0..workers.get()).map(shared).collect()
}

/// The sockets that the service manager passed, for each worker a duplicate.
fn adopt_all<L: Listening>(
    passed: &mut ListenFd,
    workers: NonZeroUsize,
) -> Result<Vec<Vec<L>>, Failure> {
    let mut addresses = Vec::new();
    for index in 0..passed.len() {
        let refused = |error: io::Error| {
            Failure::local(format_args!("LISTEN_FDS, socket {}", index + 1), reason(&error))
        };
        let socket = passed
            .take_custom::<OwnedFd>(index, libc::AF_INET, L::TYPE, L::KIND)
            .map_err(|_| refused(io::Error::other(format!("not a {}", L::KIND))))?;
        let Some(socket) = socket else {
            continue;
        };
        let each = || L::adopt(socket.try_clone()?);
        addresses
            .push((0..workers.get()).map(|_| each()).collect::<io::Result<_>>().map_err(refused)?);
    }
    Ok(addresses)
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
        assert_eq!(listen(":7000").open_all(without_ipv6), Ok(vec!["0.0.0.0:7000".to_owned()]));
        let missing = listen("[::1]:7000").open_all(without_ipv6).unwrap_err();
        assert_eq!(missing.to_string(), "[::1]:7000: address family not supported by protocol");
    }

    #[test]
    fn an_address_in_use_is_named() {
        let in_use = |_, _| -> io::Result<()> { Err(ErrorKind::AddrInUse.into()) };
        for address in ["127.0.0.1:7000", ":7000"] {
            let failure = listen(address).open_all(in_use).unwrap_err();
            assert_eq!(failure.to_string(), format!("{address}: address in use"));
        }
    }
}
