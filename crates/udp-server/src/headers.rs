//! The headers and control messages of what sendmmsg(2) sends. The headers are made once: a send
//! fills in those that it uses.

use std::net::IpAddr;

use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, MultiHeaders};

use crate::batch::Asked;
use crate::family::Address;
use crate::limits::BATCH_SIZE;

/// Headers for a batch, with addresses of one family. There are some for each size of the control
/// messages: these may be packet info of either family, DSCP, GSO, all of them, or none.
#[derive(Debug)]
pub struct Headers<A>(Vec<(usize, MultiHeaders<A>)>);

impl<A> Default for Headers<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: Address> Headers<A> {
    /// Those with room for `control`, no more and no less: zeros after the last message would be an
    /// invalid one.
    pub fn with_room_for(&mut self, control: &[ControlMessage<'_>]) -> &mut MultiHeaders<A> {
        let size = control.iter().map(size).sum();
        let kept = self.0.iter().position(|(kept, _)| *kept == size);
        let at = kept.unwrap_or_else(|| {
            let control = (size > 0).then(|| Vec::with_capacity(size));
            self.0.push((size, MultiHeaders::preallocate(BATCH_SIZE, control)));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}

/// Calls `send` with the control messages that say from where and with which DSCP to send, as was
/// `asked`, and after how many bytes to `cut`.
pub fn with_control(
    asked: Asked,
    is_ipv6: bool,
    cut: Option<u16>,
    send: &mut dyn FnMut(&[ControlMessage<'_>]),
) {
    let (v4, v6);
    let from = match asked.from {
        Some(IpAddr::V4(ip)) => {
            let ipi_spec_dst = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
            v4 = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst, ipi_addr: in_addr { s_addr: 0 } };
            Some(ControlMessage::Ipv4PacketInfo(&v4))
        }
        Some(IpAddr::V6(ip)) => {
            v6 = in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 };
            Some(ControlMessage::Ipv6PacketInfo(&v6))
        }
        None => None,
    };
    let cut = cut.as_ref().map(ControlMessage::UdpGsoSegments);
    let tos = asked.dscp.class();
    // An IPv6 socket may answer by IPv4, too. Each family takes its own, and skips the other's.
    let class = tos.filter(|_| is_ipv6).map(i32::from);
    let class = class.as_ref().map(ControlMessage::Ipv6TClass);
    let tos = tos.as_ref().map(ControlMessage::Ipv4Tos);
    let (mut all, mut used) = ([ControlMessage::UdpGsoSegments(&0); 4], 0);
    let mut add = |message| {
        if let Some(message) = message {
            all[used] = message;
            used += 1;
        }
    };
    add(from);
    add(cut);
    add(tos);
    add(class);
    send(&all[..used]);
}

/// The bytes that a control message takes.
fn size(control: &ControlMessage<'_>) -> usize {
    match control {
        ControlMessage::Ipv4PacketInfo(_) => cmsg_space!(in_pktinfo).len(),
        ControlMessage::Ipv6PacketInfo(_) => cmsg_space!(in6_pktinfo).len(),
        _ => cmsg_space!(u16).len(),
    }
}
