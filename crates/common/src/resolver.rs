//! What the system's resolver knows of names.

use std::net::SocketAddr;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use nix::net::if_::if_nametoindex;

use crate::exit;
use crate::protocol::Transport;

/// Why a host has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Whether the resolver says so: there is no such name, or it has no address. Otherwise
    /// the resolver could not be asked, or did not answer.
    pub is_no_such_name: bool,
    /// The reason in words.
    pub reason: String,
}

/// The addresses of `host`, in the resolver's order. The standard library would not say which
/// of the errors of getaddrinfo(3) it is.
pub(crate) fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Unresolved> {
    // Without a type, each address would come once for every type of socket.
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(host), None, Some(hints)).map_err(|error| Unresolved {
        is_no_such_name: matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData),
        reason: if is_interface(host) {
            "an interface: write an address that it has".to_owned()
        } else {
            words(error)
        },
    })?;
    let mut addresses = Vec::new();
    for mut address in found.flatten().map(|found| found.sockaddr) {
        address.set_port(port);
        // A name that is twice in /etc/hosts resolves to the same address twice.
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The error in glibc's words, whichever C library it is: musl's "try again" reads like advice.
fn words(error: LookupError) -> String {
    match error.kind() {
        LookupErrorKind::Again => "temporary failure in name resolution".to_owned(),
        LookupErrorKind::NoName => "name or service not known".to_owned(),
        LookupErrorKind::NoData => "no address associated with hostname".to_owned(),
        LookupErrorKind::Fail => "non-recoverable failure in name resolution".to_owned(),
        _ => exit::reason(&error.into()),
    }
}

/// Whether this machine has a network interface of that name.
pub(crate) fn is_interface(name: &str) -> bool {
    if_nametoindex(name).is_ok()
}

/// The port of the service called `name`, if the system knows one: from /etc/services, unless
/// nsswitch.conf(5) names another source.
pub(crate) fn service(transport: Transport, name: &str) -> Option<u16> {
    let socktype = match transport {
        Transport::Tcp => SockType::Stream,
        Transport::Udp => SockType::DGram,
    };
    let hints = AddrInfoHints { socktype: socktype.into(), ..AddrInfoHints::default() };
    let mut found = getaddrinfo(None, Some(name), Some(hints)).ok()?.flatten();
    found.next().map(|found| found.sockaddr.port())
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_glibc() {
        // EAI_NONAME to EAI_NODATA, and EAI_FAMILY: netdb.h
        for number in [-2, -3, -4, -5, -6] {
            let libc = exit::reason(&LookupError::new(number).into());
            assert_eq!(words(LookupError::new(number)), libc);
        }
    }
}
