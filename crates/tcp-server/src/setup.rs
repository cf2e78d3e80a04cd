//! What a listening socket has to be. The options of one that a service manager passed are
//! reset if they could do harm: accepted connections inherit them. And an address that nobody
//! can connect to is an error, for a server that hears nobody would prove that nobody came.

use std::io;
use std::net::SocketAddr;

use common::address::canonical;
use common::broadcast::is_broadcast;
use common::server::settings::Refused;
use nix::sys::socket::setsockopt;
use nix::{libc, setsockopt_impl, sockopt_impl};
use socket2::Socket;

sockopt_impl!(
    /// Connections are not accepted before they have sent something, tcp(7).
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    libc::c_int
);

/// Resets the options of `socket` with which a peer would not be heard, or could hold up all
/// others, or would not get its reply at once.
pub fn reset(socket: &Socket, is_ipv6: bool, refused: &mut Refused) {
    refused.reset(socket, is_ipv6);
    // Silent connections, and those that end without data, would be left out.
    refused.note("TCP_DEFER_ACCEPT", setsockopt(socket, DeferAccept, &0));
    // Closing would wait for the peer, or reset the connection.
    refused.note("SO_LINGER", socket.set_linger(None));
    refused.note("TCP_CORK", socket.set_tcp_cork(false));
    refused.note("SO_OOBINLINE", socket.set_out_of_band_inline(false));
}

/// Whether somebody can connect to `address`.
///
/// # Errors
/// It is a multicast or broadcast address. The system would let a socket listen there.
pub fn check_address(address: SocketAddr) -> io::Result<()> {
    let address = canonical(address);
    let kind = if address.ip().is_multicast() {
        "multicast"
    } else if is_broadcast(address) {
        "broadcast"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("a {kind} address: nobody can connect to it")))
}
