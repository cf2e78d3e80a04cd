//! Multicast groups. A socket that is bound to a group hears nothing before it has joined the
//! group on the network where the datagrams are sent: ip(7), ipv6(7).

use std::ffi::c_uint;
use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::Error as Errno;
use nix::net::if_::if_nameindex;
use socket2::{InterfaceIndexOrAddress, Socket};

/// Joins the group that `socket` is bound to; does nothing if `address` is none. A group is
/// joined in its zone (`ff02::1%eth0`) or, if it has none, on every network of this machine,
/// for nobody says on which its members are. Networks that come later are not joined.
///
/// # Errors
/// There is no network where the group can be joined. The server would hear nobody.
pub fn join(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if !address.ip().is_multicast() {
        return Ok(());
    }
    let mut result = Err(Errno::ENODEV.into());
    for interface in interfaces(address) {
        let joined = match address.ip() {
            IpAddr::V4(group) => {
                let interface = InterfaceIndexOrAddress::Index(interface);
                socket.join_multicast_v4_n(&group, &interface)
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, interface),
        };
        // Some interfaces take no part in multicast, and the system may limit how many do.
        if joined.is_ok() || joined.as_ref().is_err_and(is_member) {
            result = Ok(());
        } else if result.is_err() {
            result = joined;
        }
    }
    result.map_err(|error| {
        let reason = common::exit::reason(&error);
        io::Error::other(format!("cannot join the group: {reason}"))
    })
}

/// Whether `error` says that the socket has joined already: the interface is the one that the
/// routes lead to, or the socket is a duplicate.
fn is_member(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EADDRINUSE as i32)
}

/// The numbers of the interfaces on which to join the group at `address`. The first is the one
/// that the routes lead to (0), since a socket can only join some 20 times.
fn interfaces(address: SocketAddr) -> Vec<c_uint> {
    if let SocketAddr::V6(group) = address
        && group.scope_id() != 0
    {
        return vec![group.scope_id()];
    }
    let all = if_nameindex();
    let all = all.iter().flatten().map(|interface| interface.index());
    std::iter::once(0).chain(all).collect()
}
