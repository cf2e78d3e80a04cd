//! Where a server listens: `--listen`, and a bound socket for every address that it
//! names.

mod passed;

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;

use clap::Args;
use clap::parser::ArgMatches;
use nix::libc;
use socket2::Socket;

use self::passed::Passed;
use crate::address::{Address, Host};
use crate::exit::{Failure, reason};
use crate::options::taken::Taken;
use crate::server::settings::Refused;

/// Which address families a socket serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Only that of its address, whatever `net.ipv6.bindv6only` says. So a server can
    /// listen on `0.0.0.0:6666` and `[::]:6666` together.
    Own,
    /// Both: an IPv6 socket serves IPv4 peers too.
    Both,
}

impl Families {
    /// Makes `socket`, which is to be bound to `address`, serve these families.
    ///
    /// # Errors
    /// The system refuses, and the socket would serve others.
    pub fn set(
        self,
        socket: &Socket,
        address: SocketAddr,
        refused: &mut Refused,
    ) -> io::Result<()> {
        if address.is_ipv4() {
            return Ok(());
        }
        let only_v6 = self == Self::Own;
        let Err(error) = socket.set_only_v6(only_v6) else {
            return Ok(());
        };
        let does_matter = address.ip().is_unspecified();
        if does_matter && socket.only_v6().ok() != Some(only_v6) {
            return Err(error);
        }
        refused.note("IPV6_V6ONLY", Err(error));
        Ok(())
    }
}

/// Who else may bind the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else.
    Alone,
    /// The other event loops of this server (`SO_REUSEPORT`, socket(7)). The kernel
    /// spreads the traffic over their sockets. But a datagram to a group comes to each
    /// of them, and only the first one's socket answers it.
    Workers {
        /// Whether this is the socket of the first event loop.
        is_first: bool,
    },
}

impl Sharing {
    /// Makes `socket`, which is to be bound, share its address.
    ///
    /// # Errors
    /// The system's.
    pub fn set(self, socket: &Socket) -> io::Result<()> {
        if self == Self::Alone {
            return Ok(());
        }
        let refused = |error| {
            let reason = reason(&error);
            io::Error::other(format!("several --workers need SO_REUSEPORT: {reason}"))
        };
        socket.set_reuse_port(true).map_err(refused)
    }
}

/// A socket on which a server waits for its peers: a TCP listener, or a UDP socket.
pub trait BoundSocket: Sized {
    /// The socket type, as in socket(2).
    const TYPE: libc::c_int;
    /// The kind of socket in words.
    const KIND: &str;

    /// Makes a socket and binds it to `address`. A TCP socket also listens.
    ///
    /// # Errors
    /// The system's.
    fn bind(address: SocketAddr, families: Families, sharing: Sharing) -> io::Result<Self>;

    /// Takes over a socket that the service manager made.
    ///
    /// # Errors
    /// The socket is of another kind, or not ready for use.
    fn adopt(passed: OwnedFd) -> io::Result<Self>;

    /// The address that the socket is bound to.
    fn address(&self) -> SocketAddr;
}

/// The option that says where a server listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Where to listen (repeatable)
    #[arg(short, long, value_name = "ADDR", default_values_t = [Address::default()])]
    listen: Vec<Address>,
}

impl Taken for Listen {
    fn taken(matches: &mut ArgMatches, _: &str) -> Option<Self> {
        let listen = matches.try_remove_many("listen").ok()?;
        Some(Self { listen: listen.into_iter().flatten().collect() })
    }
}

impl Listen {
    /// Binds a socket to every address that `--listen` names, or takes over the
    /// sockets that the service manager passes. Returns the sockets of each of the
    /// `workers` event loops.
    ///
    /// # Errors
    /// Names the address that could not be bound, or the socket that is not usable.
    pub fn bind<S: BoundSocket>(&self, workers: NonZeroUsize) -> Result<Vec<Vec<S>>, Failure> {
        let mut addresses = adopt_all(workers)?;
        if addresses.is_empty() {
            addresses =
                self.bind_all(|address, families| bind_for_each(workers, address, families))?;
        }
        let mut sockets_by_worker: Vec<Vec<S>> = (0..workers.get()).map(|_| Vec::new()).collect();
        for sockets in addresses {
            for (of_worker, socket) in sockets_by_worker.iter_mut().zip(sockets) {
                of_worker.push(socket);
            }
        }
        Ok(sockets_by_worker)
    }

    /// Calls `bind` for every address that `--listen` names.
    fn bind_all<T>(
        &self,
        bind: impl Fn(SocketAddr, Families) -> io::Result<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut bound = Vec::new();
        for address in &self.listen {
            match address.host {
                Host::Any => bound.push(bind_any(address, &bind)?),
                _ => bound.extend(bind_resolved(address, &bind)?),
            }
        }
        Ok(bound)
    }
}

/// Takes over the sockets that the service manager passed, with a duplicate of each
/// for each of the `workers`.
fn adopt_all<S: BoundSocket>(workers: NonZeroUsize) -> Result<Vec<Vec<S>>, Failure> {
    // All are taken before any is duplicated: a duplicate could have the number of one that is
    // announced and is not there.
    let all = passed::take(S::TYPE, S::KIND)?;
    let adopt_for_each = |passed: &Passed| {
        let duplicates = (0..workers.get()).map(|_| S::adopt(passed.socket.try_clone()?));
        duplicates.collect::<io::Result<_>>().map_err(|error| passed.unusable(&error))
    };
    all.iter().map(adopt_for_each).collect()
}

/// Binds a socket for each of the `workers` to one address.
fn bind_for_each<S: BoundSocket>(
    workers: NonZeroUsize,
    address: SocketAddr,
    families: Families,
) -> io::Result<Vec<S>> {
    let alone = S::bind(address, families, Sharing::Alone)?;
    if workers == NonZeroUsize::MIN {
        return Ok(vec![alone]);
    }
    // This first socket only finds out the port, and that nobody else has it: sockets
    // with SO_REUSEPORT would share the port with any other server that sets it too.
    let address = alone.address();
    drop(alone);
    let shared = |n| S::bind(address, families, Sharing::Workers { is_first: n == 0 });
    (0..workers.get()).map(shared).collect()
}

/// Binds one socket for both families, or for IPv4 if this machine has no IPv6.
fn bind_any<T>(
    address: &Address,
    bind: impl Fn(SocketAddr, Families) -> io::Result<T>,
) -> Result<T, Failure> {
    let every = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match bind(every(Ipv6Addr::UNSPECIFIED.into()), Families::Both) {
        Err(error) if is_missing(&error) => {
            bind(every(Ipv4Addr::UNSPECIFIED.into()), Families::Own)
        }
        bound => bound,
    }
    .map_err(|error| cannot_bind(address, address.port(), &error))
}

/// Binds a socket to every address of a host. Skips addresses that this machine does
/// not have, as long as one is left: a name like `localhost` often stands for both
/// families.
fn bind_resolved<T>(
    address: &Address,
    bind: impl Fn(SocketAddr, Families) -> io::Result<T>,
) -> Result<Vec<T>, Failure> {
    let resolved = address.host.resolve(address.port());
    let mut bound = Vec::new();
    let mut missing = None;
    for address in resolved.map_err(|error| Failure::local(address, error.reason))? {
        match bind(address, Families::Own) {
            Ok(socket) => bound.push(socket),
            Err(error) if is_missing(&error) => missing = Some((address, error)),
            Err(error) => return Err(cannot_bind(address, address.port(), &error)),
        }
    }
    match missing {
        Some((address, error)) if bound.is_empty() => Err(Failure::local(address, reason(&error))),
        _ => Ok(bound),
    }
}

/// Why nobody can listen on `address`.
fn cannot_bind(address: impl Display, port: u16, error: &io::Error) -> Failure {
    let is_denied = error.raw_os_error() == Some(nix::Error::EACCES as i32);
    // ip(7). (`net.ipv4.ip_unprivileged_port_start` may set another limit.)
    let hint = if is_denied && port < 1024 { " (ports below 1024 are root's)" } else { "" };
    Failure::local(address, format!("{}{hint}", reason(error)))
}

/// Whether `error` says that this machine has no such address, or not even its
/// family.
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
        assert_eq!(listen(":7000").bind_all(without_ipv6), Ok(vec!["0.0.0.0:7000".to_owned()]));
        let missing = listen("[::1]:7000").bind_all(without_ipv6).unwrap_err();
        assert_eq!(missing.to_string(), "[::1]:7000: address family not supported by protocol");
    }

    #[test]
    fn an_address_in_use_is_named() {
        let in_use = |_, _| -> io::Result<()> { Err(ErrorKind::AddrInUse.into()) };
        for address in ["127.0.0.1:7000", ":7000"] {
            let failure = listen(address).bind_all(in_use).unwrap_err();
            assert_eq!(failure.to_string(), format!("{address}: address in use"));
        }
    }

    #[test]
    fn who_may_not_have_a_low_port_is_told_why() {
        let denied = |_, _| -> io::Result<()> { Err(nix::Error::EACCES.into()) };
        for (address, hint) in [
            ("127.0.0.1:80", " (ports below 1024 are root's)"),
            (":80", " (ports below 1024 are root's)"),
            (":8080", ""),
        ] {
            let failure = listen(address).bind_all(denied).unwrap_err();
            assert_eq!(failure.to_string(), format!("{address}: permission denied{hint}"));
        }
    }
}
