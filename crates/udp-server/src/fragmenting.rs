//! Whether datagrams that are too large for a path are fragmented.
//!
//! quinn-udp forbids it, for QUIC finds out what a path takes by losing some.
//! A reply has one chance: so the socket keeps what the system gave it, which
//! fragments what is known to be too large (ip(7), `IP_MTU_DISCOVER`).

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::sockopt::Ipv6DontFrag;
use nix::sys::socket::{GetSockOpt, SetSockOpt, getsockopt, setsockopt};
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// ip(7): one of `IP_PMTUDISC_*`. IPv6 sockets have it for IPv4 peers.
    MtuDiscovery,
    Both,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int
);
sockopt_impl!(
    /// ipv6(7): one of `IPV6_PMTUDISC_*`.
    MtuDiscovery6,
    Both,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU_DISCOVER,
    libc::c_int
);

/// Has `set_up` change `socket` in any respect but this.
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
    // An IPv4 socket has no IPv6 options, and nothing will have changed them.
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
    fn what_was_set_up_before_is_kept() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(address) else {
                continue; // No IPv6 here.
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
