//! Replies to one peer, which leave in one send: UDP GSO, udp(7). The kernel or the
//! network card cuts them up.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::Error as Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};

use crate::batch::Envelope;
use crate::limits::REPLY_BATCH_SIZE;
use crate::socket::ServerSocket;

/// Replies of one length to one peer from one address, which leave in one send.
#[derive(Debug, Default)]
pub struct ReplyBatch {
    /// The envelope of the datagrams that are answered; `None` if there are none.
    envelope: Option<Envelope>,
    /// The length of each reply.
    length: usize,
    count: usize,
    contents: Vec<u8>,
}

/// What came of sending a [`ReplyBatch`].
#[derive(Debug, Default)]
pub struct Sent {
    /// How many replies were sent.
    pub count: u64,
    /// How many bytes these replies have.
    pub bytes: u64,
    /// An error for each reply that could not be sent.
    pub failed: Vec<io::Error>,
}

impl ReplyBatch {
    /// How many replies the batch holds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The peer that gets the replies.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.envelope.map(|envelope| envelope.peer)
    }

    /// Adds a reply and returns true, if the reply has the same envelope and length as
    /// the others, and there is room: for `most` replies, or [`REPLY_BATCH_SIZE`] bytes.
    pub fn add(&mut self, envelope: Envelope, reply: &[u8], most: usize) -> bool {
        let fits = self.count == 0
            || (self.envelope == Some(envelope)
                // Nobody could cut up several empty replies.
                && self.length == reply.len() && self.length > 0
                && self.count < most && self.contents.len() + reply.len() <= REPLY_BATCH_SIZE);
        if fits {
            self.envelope = Some(envelope);
            self.length = reply.len();
            self.count += 1;
            self.contents.extend_from_slice(reply);
        }
        fits
    }

    /// Sends the replies, together or, if that fails, each alone: the kernel cuts up no
    /// replies that would have to be fragmented too, and not every network card can
    /// cut. The batch is empty afterwards.
    pub fn send(&mut self, socket: &ServerSocket) -> Sent {
        let mut sent = Sent::default();
        let Some(envelope) = self.envelope.take() else {
            return sent;
        };
        let length = u16::try_from(self.length).ok();
        if self.count > 1 && send(socket, envelope, &self.contents, length).is_ok() {
            sent.count = self.count as u64;
        } else {
            for n in 0..self.count {
                let reply = &self.contents[n * self.length..][..self.length];
                match send(socket, envelope, reply, None) {
                    Ok(()) => sent.count += 1,
                    Err(error) => sent.failed.push(error.into()),
                }
            }
        }
        sent.bytes = sent.count * self.length as u64;
        self.count = 0;
        self.contents.clear();
        sent
    }
}

/// Sends `contents` in one datagram, or in datagrams of `length` bytes each.
fn send(
    socket: &ServerSocket,
    envelope: Envelope,
    contents: &[u8],
    length: Option<u16>,
) -> Result<(), Errno> {
    match send_from(socket, envelope, contents, length) {
        // The address that was asked is not this machine's own.
        Err(Errno::EINVAL | Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
            if envelope.may_be_broadcast =>
        {
            send_from(socket, Envelope { from: None, ..envelope }, contents, length)
        }
        sent => sent,
    }
}

fn send_from(
    socket: &ServerSocket,
    envelope: Envelope,
    contents: &[u8],
    length: Option<u16>,
) -> Result<(), Errno> {
    let (v4, v6);
    let from = match envelope.from {
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
    match (from, length.as_ref().map(ControlMessage::UdpGsoSegments)) {
        (Some(from), Some(cut)) => send_with(socket, envelope.peer, contents, &[from, cut]),
        (Some(one), None) | (None, Some(one)) => send_with(socket, envelope.peer, contents, &[one]),
        (None, None) => send_with(socket, envelope.peer, contents, &[]),
    }
}

fn send_with(
    socket: &ServerSocket,
    peer: SocketAddr,
    contents: &[u8],
    control: &[ControlMessage<'_>],
) -> Result<(), Errno> {
    let (fd, peer) = (socket.udp.as_raw_fd(), SockaddrStorage::from(peer));
    let contents = [IoSlice::new(contents)];
    loop {
        match sendmsg(fd, &contents, control, MsgFlags::MSG_DONTWAIT, Some(&peer)) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(peer: &str, from: &str) -> Envelope {
        let from = Some(from.parse().unwrap());
        Envelope { peer: peer.parse().unwrap(), from, may_be_broadcast: false }
    }

    #[test]
    fn a_batch_is_to_one_peer_from_one_address_and_of_one_length() {
        let a = envelope("192.0.2.1:5", "192.0.2.9");
        let b = envelope("192.0.2.1:6", "192.0.2.9");
        let elsewhere = envelope("192.0.2.1:5", "192.0.2.10");
        let mut replies = ReplyBatch::default();
        assert!(replies.add(a, b"ok", 3));
        assert!(!replies.add(b, b"ok", 3), "another peer");
        assert!(!replies.add(elsewhere, b"ok", 3), "another address was asked");
        assert!(!replies.add(a, b"longer", 3));
        assert!(replies.add(a, b"ok", 3) && replies.add(a, b"ok", 3));
        assert!(!replies.add(a, b"ok", 3), "it is full");
        assert_eq!((replies.count(), replies.peer()), (3, Some(a.peer)));
    }

    #[test]
    fn an_empty_reply_goes_alone_and_a_batch_has_a_largest_size() {
        let a = envelope("192.0.2.1:5", "192.0.2.9");
        let mut empty = ReplyBatch::default();
        assert!(empty.add(a, b"", 64));
        assert!(!empty.add(a, b"", 64));
        let mut large = ReplyBatch::default();
        let added = (0..100).take_while(|_| large.add(a, &[b'x'; 1024], 64)).count();
        assert_eq!(added, REPLY_BATCH_SIZE / 1024);
    }
}
