//! Sets up the socket: the options that the server wants, and for a socket that a service
//! manager passed, those that it could do harm with.
//!
//! A system, or a sandbox, may refuse any option. The server goes without it: then, for
//! example, replies leave from the address that the system chooses.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use common::address::canonical;
use common::broadcast::is_broadcast;
use common::server::settings::Refused;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{
    Broadcast, IpRecvTos, Ipv4PacketInfo, Ipv6DontFrag, Ipv6RecvPacketInfo, Ipv6RecvTClass,
    RxqOvfl, UdpGroSegment, UdpGsoSegment,
};
use nix::{cmsg_space, libc, setsockopt_impl, sockopt_impl};
use socket2::Socket;

use crate::limits::MOST_SEGMENTS;

sockopt_impl!(
    /// One of `IP_PMTUDISC_*`, ip(7). IPv6 sockets have this option for IPv4 peers.
    MtuDiscovery,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int
);
sockopt_impl!(
    /// One of `IPV6_PMTUDISC_*`, ipv6(7).
    MtuDiscovery6,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU_DISCOVER,
    libc::c_int
);
sockopt_impl!(
    /// Holds back what is sent, udp(7).
    Cork,
    SetOnly,
    libc::IPPROTO_UDP,
    libc::UDP_CORK,
    bool
);

/// Sets the options that the server wants for `socket`. Returns how many replies to one peer a
/// send may hold.
pub fn set_up(socket: &Socket, bound: Bound, refused: &mut Refused) -> usize {
    if bound.hears_several {
        refused.note("IP_PKTINFO", setsockopt(socket, Ipv4PacketInfo, &true));
    }
    if bound.hears_several && bound.is_ipv6 {
        refused.note("IPV6_RECVPKTINFO", setsockopt(socket, Ipv6RecvPacketInfo, &true));
        // Else no reply could leave from an address that is this machine's by a route alone
        // (`ip -6 route add local`). The socket is bound: it is too late to bind to others'.
        refused.note("IPV6_FREEBIND", socket.set_freebind_v6(true));
    }
    refused.note("IP_MTU_DISCOVER", let_routers_fragment(socket));
    refused.note("UDP_GRO", setsockopt(socket, UdpGroSegment, &true));
    // Zero cuts up nothing, unless a send says so.
    let cuts_up = setsockopt(socket, UdpGsoSegment, &0);
    refused.note("UDP_SEGMENT", cuts_up);
    if cuts_up.is_ok() { MOST_SEGMENTS } else { 1 }
}

/// Makes the kernel say with which DSCP a datagram came, which may be an IPv4 one at an IPv6 socket,
/// too. Returns the bytes that this takes.
pub fn hear_dscp(socket: &impl AsFd, is_ipv6: bool, refused: &mut Refused) -> usize {
    refused.note("IP_RECVTOS", setsockopt(socket, IpRecvTos, &true));
    if is_ipv6 {
        refused.note("IPV6_RECVTCLASS", setsockopt(socket, Ipv6RecvTClass, &true));
    }
    cmsg_space!(u8, libc::c_int).len()
}

/// What a socket hears, by the address that it is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Whether datagrams to several addresses come to it: to any, to a group, or to a subnet's
    /// broadcast address. From all other addresses, replies leave without packet info.
    hears_several: bool,
    /// Whether its addresses are IPv6 ones, those of IPv4 peers too.
    pub is_ipv6: bool,
}

impl Bound {
    /// What a socket hears that is bound to `address`.
    pub fn to(address: SocketAddr) -> Self {
        let ip = canonical(address).ip();
        let is_broadcast = || is_broadcast(canonical(address));
        let hears_several = ip.is_unspecified() || ip.is_multicast() || is_broadcast();
        Self { hears_several, is_ipv6: address.is_ipv6() }
    }

    /// The bytes that the control messages take which the kernel says of a datagram, if [`set_up`]
    /// alone has asked for any.
    pub fn control_size(self) -> usize {
        match (self.hears_several, self.is_ipv6) {
            (false, _) => cmsg_space!(libc::c_int).len(),
            (true, false) => cmsg_space!(libc::c_int, libc::in_pktinfo).len(),
            // Of a datagram that came by IPv4, an IPv6 socket says both.
            (true, true) => cmsg_space!(libc::c_int, libc::in_pktinfo, libc::in6_pktinfo).len(),
        }
    }
}

/// Lets IPv4 routers fragment a reply. By default it would forbid them that, and would be
/// lost wherever the path takes less than this machine knows: there is no second one. Nor is a
/// path's MTU learned, which could be forged (`IP_PMTUDISC_OMIT`, Linux 3.15).
///
/// IPv6 routers do not fragment; but the longest reply (1024 bytes) fits into the least MTU that
/// an IPv6 link has (1280 bytes, RFC 8200).
fn let_routers_fragment(socket: &Socket) -> nix::Result<()> {
    setsockopt(socket, MtuDiscovery, &libc::IP_PMTUDISC_OMIT)
        .or_else(|_| setsockopt(socket, MtuDiscovery, &libc::IP_PMTUDISC_DONT))
}

/// Resets the options of a passed socket with which it would not receive all, or not send
/// everything at once to where it should go.
pub fn reset(socket: &Socket, is_ipv6: bool, refused: &mut Refused) {
    refused.reset(socket, is_ipv6);
    // The control data would have no room for it.
    refused.note("SO_RXQ_OVFL", setsockopt(socket, RxqOvfl, &0));
    // A forged source could be a whole subnet.
    refused.note("SO_BROADCAST", setsockopt(socket, Broadcast, &false));
    refused.note("UDP_CORK", setsockopt(socket, Cork, &false));
    // Only a witness answers with the same.
    refused.note("IP_RECVTOS", setsockopt(socket, IpRecvTos, &false));
    if is_ipv6 {
        refused.note("IPV6_RECVTCLASS", setsockopt(socket, Ipv6RecvTClass, &false));
        let dont = libc::IPV6_PMTUDISC_DONT;
        refused.note("IPV6_MTU_DISCOVER", setsockopt(socket, MtuDiscovery6, &dont));
        refused.note("IPV6_DONTFRAG", setsockopt(socket, Ipv6DontFrag, &false));
    }
}
