//! What the kernel knows of a connection: tcp(7), `TCP_INFO`.

use std::os::fd::AsFd;

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};

sockopt_impl!(
    /// tcp(7)
    TcpInfo,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info
);

/// How many segments were sent again, the SYN among them, where the system
/// tells.
pub fn retransmits(socket: &impl AsFd) -> Option<u32> {
    getsockopt(socket, TcpInfo).ok().map(|info| info.tcpi_total_retrans)
}
