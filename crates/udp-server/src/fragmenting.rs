//! Keeps the system's settings for datagrams that are too large for a path.
//!
//! quinn-udp forbids fragmentation: QUIC learns the size that a path takes by losing
//! datagrams. But a reply is sent only once. So the socket keeps the system's default,
//! which fragments a datagram that is known to be too large (ip(7), `IP_MTU_DISCOVER`).

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::sockopt::Ipv6DontFrag;
use nix::sys::socket::{GetSockOpt, SetSockOpt, getsockopt, setsockopt};
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// One of `IP_PMTUDISC_*`, ip(7). IPv6 sockets have this option for IPv4 peers.
    MtuDiscovery,
    Both,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int
);
sockopt_impl!(
    /// One of `IPV6_PMTUDISC_*`, ipv6(7).
    MtuDiscovery6,
    Both,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU_DISCOVER,
    libc::c_int
);

/// Calls `set_up`, and then restores the settings of `socket` for fragmentation.
pub fn keep<T>(socket: &impl AsFd, set_up: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    keep_one(socket, MtuDiscovery, || {
        keep_one(socket, MtuDiscovery6, || keep_one(socket, Ipv6DontFrag, set_up))
    })
}

fn keep_one<O, T>(
    socket: &impl AsFd,
    option: O,
    set_up: impl FnOnce() -> io::Result<T>,
) -> io::Result<T>
where
    O: GetSockOpt + SetSockOpt<Val = <O as GetSockOpt>::Val> + Copy,
{
    // An IPv4 socket has no IPv6 options, and there is nothing to restore.
    let before = getsockopt(socket, option);
    let made = set_up()?;
    if let Ok(before) = before {
        setsockopt(socket, option, &before)?;
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn the_settings_are_kept() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(address) else {
                continue; // This machine has no IPv6.
            };
            let state = || -> (i32, Result<i32, _>, Result<bool, _>) {
                let ipv4 = getsockopt(&socket, MtuDiscovery).unwrap();
                (ipv4, getsockopt(&socket, MtuDiscovery6), getsockopt(&socket, Ipv6DontFrag))
            };
            let before = state();
            keep(&socket, || quinn_udp::UdpSocketState::new((&socket).into())).unwrap();
            assert_eq!(state(), before, "{address}");
        }
    }
}
