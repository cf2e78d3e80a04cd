//! Which addresses are broadcast addresses. That depends on this machine's networks.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use nix::Error as Errno;
use socket2::{Domain, Socket, Type};

/// Whether `address` is a broadcast address: the kernel connects a UDP socket to one only with
/// `SO_BROADCAST` (socket(7)). Nothing is sent.
#[must_use]
pub fn is_broadcast(address: SocketAddr) -> bool {
    if !address.is_ipv4() || address.ip().is_unspecified() {
        return false;
    }
    // Without a route to it, the system would not say so.
    if address.ip() == Ipv4Addr::BROADCAST {
        return true;
    }
    // The port does not matter, but has to be there.
    let probed = SocketAddr::new(address.ip(), 1).into();
    let Ok(socket) = Socket::new(Domain::IPV4, Type::DGRAM, None) else {
        return false;
    };
    let is_denied = |error: io::Error| error.raw_os_error() == Some(Errno::EACCES as i32);
    socket.connect(&probed).is_err_and(is_denied)
        && socket.set_broadcast(true).is_ok()
        && socket.connect(&probed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_addresses_are_known() {
        for (address, expected) in [
            ("127.255.255.255:0", true),
            ("255.255.255.255:0", true),
            ("127.0.0.1:0", false),
            ("0.0.0.0:0", false),
            ("[::1]:0", false),
        ] {
            assert_eq!(is_broadcast(address.parse().unwrap()), expected, "{address}");
        }
    }
}
