//! Batches of datagrams, each received in one system call: recvmmsg(2).
//!
//! If the kernel has coalesced datagrams of one peer (UDP GRO, udp(7)), one buffer
//! holds several. If the socket hears several addresses, the kernel says with each datagram
//! which one was asked (`IP_PKTINFO`, ip(7)), since that is where the client expects its
//! answer from.

use std::io::{self, IoSliceMut};
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6, recvmmsg,
};

use crate::dscp::Dscp;
use crate::family::Address;
use crate::limits::{BATCH_SIZE, RECEIVE_SIZE};
use crate::socket::ServerSocket;

/// The fewest datagrams that a receive has room for: a client that sends one at a time fills one.
const FEWEST: usize = 2;

/// The datagrams of one receive. Its buffers take up memory only as far as datagrams
/// have ever filled them.
#[derive(Debug)]
pub struct Batch {
    buffers: Box<[u8]>,
    received: Vec<Received>,
    /// How many datagrams there are.
    count: u64,
    /// Their bytes.
    bytes: u64,
    /// How many buffers the next receive offers: each costs some 100 instructions, filled or not.
    room: usize,
}

/// What one buffer of a batch holds. In 64 bytes, which are copied by four instructions, whatever
/// the level of optimisation.
#[derive(Clone, Copy, Debug)]
struct Received {
    /// Which of the buffers this is.
    at: u16,
    envelope: Envelope,
    bytes: u32,
    /// The length of each of the datagrams that were coalesced; the last may be shorter.
    stride: u32,
}

const _: () = assert!(size_of::<Received>() <= 64);

/// A datagram in a batch.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub envelope: &'a Envelope,
    pub message: &'a [u8],
}

/// Who sent a datagram, and where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub peer: SocketAddr,
    pub asked: Asked,
}

/// What the address that was asked, and how, means for the reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The address of this machine that the reply leaves from; `None` lets the system choose.
    pub from: Option<IpAddr>,
    /// Whether `from` may be a subnet's broadcast address, from which nothing can be sent: of
    /// what came before `IP_PKTINFO` was set, the kernel does not say.
    pub may_be_broadcast: bool,
    /// Whether it is a group's: multicast or broadcast.
    pub to_group: bool,
    /// The DSCP, which a reply has, too.
    pub dscp: Dscp,
}

impl Batch {
    /// Its bytes.
    pub const SIZE: usize = BATCH_SIZE * RECEIVE_SIZE;

    pub fn new() -> Self {
        let buffers = vec![0; Self::SIZE].into();
        let received = Vec::with_capacity(BATCH_SIZE);
        Self { buffers, received, count: 0, bytes: 0, room: FEWEST }
    }

    /// Receives the datagrams that `socket` holds, as many as there is room for: for twice as
    /// many as the last time, so that a batch grows as datagrams come faster.
    ///
    /// Returns whether there was room for no more. If there was, the socket is empty, and what
    /// comes later is announced. (Or the kernel had an error after the first datagram, and no
    /// memory is a reason for one. It keeps the error for the next call. Then what the socket
    /// holds is received when the next datagram comes, or at the end: recvmmsg(2), Bugs.)
    pub fn receive(&mut self, socket: &ServerSocket) -> io::Result<bool> {
        self.received.clear();
        (self.count, self.bytes) = (0, 0);
        let used = if socket.is_ipv6 {
            self.receive_from::<SockaddrIn6>(socket)?
        } else {
            self.receive_from::<SockaddrIn>(socket)?
        };
        let is_full = used == self.room;
        self.room = (2 * used).clamp(FEWEST, BATCH_SIZE);
        Ok(is_full)
    }

    /// Returns how many buffers are used.
    fn receive_from<A: Address>(&mut self, socket: &ServerSocket) -> io::Result<usize> {
        let mut slices = Vec::with_capacity(self.room);
        for buffer in self.buffers[..self.room * RECEIVE_SIZE].chunks_mut(RECEIVE_SIZE) {
            slices.push([IoSliceMut::new(buffer)]);
        }
        // The call cuts the room for control messages down to what came, so each call
        // needs new headers.
        let room = Vec::with_capacity(socket.control_size);
        let mut headers = MultiHeaders::<A>::preallocate(self.room, Some(room));
        let fd = socket.udp.as_raw_fd();
        let messages = recvmmsg(fd, &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None)?;
        let mut used = 0_u16;
        for message in messages {
            let received = Received::new(used, &message);
            used += 1;
            // The first loop's socket has it too.
            if socket.answers_groups || !received.envelope.asked.to_group {
                self.count += received.count();
                self.bytes += u64::from(received.bytes);
                self.received.push(received);
            }
        }
        Ok(usize::from(used))
    }

    /// How many datagrams there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The datagrams that this socket has to answer, in the order of their arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.received.iter().flat_map(|&Received { at, ref envelope, bytes, stride }| {
            let buffer = &self.buffers[usize::from(at) * RECEIVE_SIZE..][..bytes as usize];
            let messages = messages(buffer, stride as usize);
            messages.map(move |message| Datagram { envelope, message })
        })
    }
}

impl Received {
    fn new<A: Address>(at: u16, message: &RecvMsg<'_, '_, A>) -> Self {
        let bytes = message.bytes as u32;
        let (mut asked, mut dscp) = (None, Dscp::default());
        let mut stride = bytes;
        // If there was no room for a control message, none is used.
        if let Ok(controls) = message.cmsgs() {
            for control in controls {
                match control {
                    ControlMessageOwned::Ipv4PacketInfo(info) => asked = Some(Asked::of_v4(&info)),
                    // An IPv6 socket says both of a datagram that came by IPv4.
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        asked = asked.or_else(|| Some(Asked::of_v6(&info)));
                    }
                    ControlMessageOwned::Ipv4Tos(class) => dscp = Dscp::of_class(class),
                    ControlMessageOwned::Ipv6TClass(class) => dscp = Dscp::of_class(class as u8),
                    ControlMessageOwned::UdpGroSegments(length) => {
                        stride = u32::try_from(length).unwrap_or(bytes);
                    }
                    _ => {}
                }
            }
        }
        // There always is one. The guard would not answer the unspecified address.
        let peer = message.address.map_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into(), Into::into);
        let asked = Asked { dscp, ..asked.unwrap_or_default() };
        let envelope = Envelope { peer, asked };
        Self { at, envelope, bytes, stride }
    }

    /// How many datagrams these are: as many as [`messages`] finds.
    fn count(&self) -> u64 {
        self.bytes.div_ceil(self.stride.max(1)).max(1).into()
    }
}

impl Asked {
    fn of_v4(info: &in_pktinfo) -> Self {
        let address = |bytes: u32| Ipv4Addr::from(bytes.to_ne_bytes());
        Self::v4(address(info.ipi_addr.s_addr), address(info.ipi_spec_dst.s_addr))
    }

    fn of_v6(info: &in6_pktinfo) -> Self {
        let asked = Ipv6Addr::from(info.ipi6_addr.s6_addr);
        match asked.to_ipv4_mapped() {
            Some(asked) => Self::v4(asked, Ipv4Addr::UNSPECIFIED),
            None if asked.is_multicast() => Self { to_group: true, ..Self::default() },
            None => Self { from: Some(asked.into()), ..Self::default() },
        }
    }

    /// `local` is the address of this machine that the kernel would answer from
    /// (`ipi_spec_dst`): the one that was asked, unless that is a group's or a subnet's
    /// broadcast address, from which nothing can be sent. It is unspecified if the
    /// kernel does not say.
    fn v4(asked: Ipv4Addr, local: Ipv4Addr) -> Self {
        if !local.is_unspecified() {
            let to_group = local != asked;
            return Self { from: Some(local.into()), to_group, ..Self::default() };
        }
        let to_group = asked.is_multicast() || asked.is_broadcast();
        let from = (!to_group && !asked.is_unspecified()).then_some(asked.into());
        Self { from, may_be_broadcast: from.is_some(), to_group, ..Self::default() }
    }
}

/// The messages in a buffer: one, or as many as were coalesced. All but the last have
/// the length `stride`. An empty buffer is one empty message.
fn messages(buffer: &[u8], stride: usize) -> impl Iterator<Item = &[u8]> {
    let mut left = Some(buffer);
    iter::from_fn(move || {
        let (message, others) = left?.split_at_checked(stride.max(1)).unwrap_or((left?, &[]));
        left = (!others.is_empty()).then_some(others);
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalesced_datagrams_are_taken_apart() {
        let lengths = |bytes, stride| messages(bytes, stride).map(<[u8]>::len).collect::<Vec<_>>();
        for (bytes, stride, expected) in
            [("", 0, &[0][..]), ("hello", 5, &[5]), ("hellohellohel", 5, &[5, 5, 3])]
        {
            assert_eq!(lengths(bytes.as_bytes(), stride), expected);
            let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 7000));
            let envelope = Envelope { peer, asked: Asked::default() };
            let (bytes, stride) = (bytes.len() as u32, stride as u32);
            let received = Received { at: 0, envelope, bytes, stride };
            assert_eq!(received.count(), expected.len() as u64);
        }
    }

    #[test]
    fn replies_leave_from_the_address_that_was_asked_and_never_from_a_group() {
        let none = "0.0.0.0";
        for (asked, local, from, to_group) in [
            ("192.0.2.1", "192.0.2.1", Some("192.0.2.1"), false),
            ("192.0.2.255", "192.0.2.1", Some("192.0.2.1"), true),
            ("255.255.255.255", "192.0.2.1", Some("192.0.2.1"), true),
            ("224.0.0.1", "192.0.2.1", Some("192.0.2.1"), true),
            // The kernel does not say what it would answer from.
            ("192.0.2.1", none, Some("192.0.2.1"), false),
            ("127.0.0.2", none, Some("127.0.0.2"), false),
            ("224.0.0.1", none, None, true),
            ("255.255.255.255", none, None, true),
            (none, none, None, false),
        ] {
            let from = from.map(|ip| ip.parse().unwrap());
            let may_be_broadcast = local == none && from.is_some();
            let dscp = Dscp::default();
            let expected = Asked { from, may_be_broadcast, to_group, dscp };
            assert_eq!(
                Asked::v4(asked.parse().unwrap(), local.parse().unwrap()),
                expected,
                "{asked} {local}"
            );
        }
    }

    #[test]
    fn an_ipv6_group_is_not_answered_from() {
        for (asked, from, may_be_broadcast, to_group) in [
            ("2001:db8::1", Some("2001:db8::1"), false, false),
            ("fe80::1", Some("fe80::1"), false, false),
            ("ff02::1", None, false, true),
            ("::ffff:224.0.0.1", None, false, true),
            ("::ffff:192.0.2.1", Some("192.0.2.1"), true, false),
        ] {
            let address: Ipv6Addr = asked.parse().unwrap();
            let ipi6_addr = nix::libc::in6_addr { s6_addr: address.octets() };
            let from = from.map(|ip| ip.parse().unwrap());
            let dscp = Dscp::default();
            let expected = Asked { from, may_be_broadcast, to_group, dscp };
            assert_eq!(
                Asked::of_v6(&in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 }),
                expected,
                "{asked}"
            );
        }
    }
}
