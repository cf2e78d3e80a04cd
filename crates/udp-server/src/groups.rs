//! Multicast groups. A socket that is bound to a group hears nothing before it has joined the
//! group on the network where the datagrams are sent: ip(7), ipv6(7).

use std::ffi::c_uint;
use std::io;
use std::net::{IpAddr, SocketAddr};

use common::exit::reason;
use nix::Error as Errno;
use nix::net::if_::if_nameindex;
use socket2::{InterfaceIndexOrAddress, Socket};

/// Joins the group that `socket` is bound to; does nothing if `address` is none. A group is
/// joined in its zone (`ff02::1%eth0`) or, if it has none, on every network of this machine,
/// for nobody says on which its members are. Networks that come later are not joined.
///
/// # Errors
/// There is a network, or there are only networks, where the group cannot be joined. A server
/// that is deaf there would prove that nobody came.
pub fn join(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let group = address.ip();
    if !group.is_multicast() {
        return Ok(());
    }
    let mut result = Err(failure("", &Errno::ENODEV.into()));
    for Interface { index, place } in interfaces(address)? {
        match join_on(socket, group, index) {
            Ok(()) => result = Ok(()),
            Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                // The socket is a duplicate of one that has joined.
                Errno::EADDRINUSE => result = Ok(()),
                // The interface is gone, or does not speak this protocol.
                Errno::ENODEV => {}
                Errno::EINVAL if group.is_ipv6() => {}
                _ => return Err(failure(&place, &error)),
            },
        }
    }
    result
}

fn join_on(socket: &Socket, group: IpAddr, interface: c_uint) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))
        }
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface),
    }
}

/// An interface, and the words that name it.
struct Interface {
    index: c_uint,
    place: String,
}

/// The interfaces on which to join the group at `address`.
fn interfaces(address: SocketAddr) -> io::Result<Vec<Interface>> {
    match address {
        SocketAddr::V6(group) if group.scope_id() != 0 => {
            return Ok(vec![Interface { index: group.scope_id(), place: String::new() }]);
        }
        _ => {}
    }
    let all = if_nameindex().map_err(|error| {
        let reason = reason(&error.into());
        io::Error::other(format!("cannot list the networks to join the group on: {reason}"))
    })?;
    let named = all.iter().map(|it| Interface {
        index: it.index(),
        place: format!(" on {}", it.name().to_string_lossy()),
    });
    Ok(named.collect())
}

fn failure(place: &str, error: &io::Error) -> io::Error {
    // By default a socket joins 20 times: ip(7).
    let is_limit = error.raw_os_error() == Some(Errno::ENOBUFS as i32);
    let hint = if is_limit { " (see net.ipv4.igmp_max_memberships)" } else { "" };
    io::Error::other(format!("cannot join the group{place}: {}{hint}", reason(error)))
}
