//! The options of a listening socket that a service manager passed: those that the server
//! could do harm with are reset. Accepted connections inherit them.

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
