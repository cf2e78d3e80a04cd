//! Replies that leave in one system call, whoever gets them: sendmmsg(2). Those to one peer are
//! one message in it, which the kernel or the network card cuts up: UDP GSO, udp(7).

use std::io::IoSlice;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::Error as Errno;
use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg, sendmsg, sendto,
};

use crate::batch::{Asked, Envelope};
use crate::limits::{BATCH_SIZE, MOST_REPLY_BYTES};
use crate::socket::ServerSocket;

/// Replies of one length, which leave from one address.
#[derive(Debug, Default)]
pub struct ReplyBatch {
    /// Where the replies leave from.
    asked: Asked,
    /// The length of each reply.
    length: usize,
    count: usize,
    /// The messages to send come first. Those after them have room for replies to come.
    messages: Vec<Message>,
    used: usize,
}

/// The replies to one peer.
#[derive(Debug)]
struct Message {
    peer: SocketAddr,
    count: usize,
    contents: Vec<u8>,
}

impl ReplyBatch {
    /// How many replies the batch holds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The length of each reply.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Adds a reply and returns true, if the reply leaves from the same address and has the same
    /// length as the others, and there is room. One message may hold `most` replies. The replies
    /// to one peer stay in order.
    pub fn add(&mut self, envelope: Envelope, reply: &[u8], most: usize) -> bool {
        let Envelope { peer, asked } = envelope;
        if self.count > 0 && (self.asked != asked || self.length != reply.len()) {
            return false;
        }
        let used = self.messages[..self.used].iter_mut().rev();
        let message = match used.into_iter().find(|it| it.has_room(peer, reply, most)) {
            Some(message) => message,
            None if self.used == BATCH_SIZE => return false,
            None => {
                if self.used == self.messages.len() {
                    self.messages.push(Message { peer, count: 0, contents: Vec::new() });
                }
                self.used += 1;
                let message = &mut self.messages[self.used - 1];
                (message.peer, message.count) = (peer, 0);
                message.contents.clear();
                message
            }
        };
        message.contents.extend_from_slice(reply);
        message.count += 1;
        self.count += 1;
        (self.asked, self.length) = (asked, reply.len());
        true
    }

    /// Sends the replies. The batch is empty afterwards. Of each message `note` learns how many
    /// replies were sent, or the error of one that could not be sent.
    pub fn send(
        &mut self,
        socket: &ServerSocket,
        mut note: impl FnMut(SocketAddr, Result<usize, Errno>),
    ) {
        self.count = 0;
        let used = mem::take(&mut self.used);
        let mut left = &self.messages[..used];
        while !left.is_empty() {
            let (sent, others) = left.split_at(self.send_together(socket, left));
            sent.iter().for_each(|message| note(message.peer, Ok(message.count)));
            left = others;
            // The call has stopped at this one. The kernel cuts up no replies that would have to
            // be fragmented too, and not every network card can cut.
            if let Some((message, others)) = left.split_first() {
                for n in 0..message.count {
                    let reply = &message.contents[n * self.length..][..self.length];
                    note(message.peer, send(socket, self.asked, message.peer, reply).map(|()| 1));
                }
                left = others;
            }
        }
    }

    /// Sends as many of `messages` as the system takes in one call, and returns how many these
    /// are. To send one reply alone, there is a cheaper call.
    fn send_together(&self, socket: &ServerSocket, messages: &[Message]) -> usize {
        let (first, is_alone) = (&messages[0], messages.len() == 1);
        if is_alone && first.count == 1 {
            return 0;
        }
        let are_cut = messages.iter().any(|message| message.count > 1);
        let cut = u16::try_from(self.length).ok().filter(|_| are_cut);
        with_control(self.asked.from, cut, |control| {
            let space: usize = control.iter().map(space).sum();
            let space = (space > 0).then(|| Vec::with_capacity(space));
            let mut headers = MultiHeaders::preallocate(messages.len(), space);
            let contents: Vec<_> =
                messages.iter().map(|message| [IoSlice::new(&message.contents)]).collect();
            let peers: Vec<_> =
                messages.iter().map(|message| Some(SockaddrStorage::from(message.peer))).collect();
            let fd = socket.udp.as_raw_fd();
            let sent =
                sendmmsg(fd, &mut headers, &contents, &peers, control, MsgFlags::MSG_DONTWAIT);
            sent.map_or(0, Iterator::count)
        })
    }
}

impl Message {
    /// Whether the message goes to `peer`, and `reply` can be added.
    fn has_room(&self, peer: SocketAddr, reply: &[u8], most: usize) -> bool {
        // Nobody could cut up several empty replies.
        let is_longer = !reply.is_empty() && self.contents.len() + reply.len() <= MOST_REPLY_BYTES;
        self.peer == peer && self.count < most && is_longer
    }
}

/// Sends one reply to `peer`.
fn send(socket: &ServerSocket, asked: Asked, peer: SocketAddr, reply: &[u8]) -> Result<(), Errno> {
    match send_from(socket, asked.from, peer, reply) {
        // The address that was asked is not this machine's own.
        Err(Errno::EINVAL | Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
            if asked.may_be_broadcast =>
        {
            send_from(socket, None, peer, reply)
        }
        sent => sent,
    }
}

fn send_from(
    socket: &ServerSocket,
    from: Option<IpAddr>,
    peer: SocketAddr,
    reply: &[u8],
) -> Result<(), Errno> {
    let (fd, peer, flags) =
        (socket.udp.as_raw_fd(), SockaddrStorage::from(peer), MsgFlags::MSG_DONTWAIT);
    let contents = [IoSlice::new(reply)];
    loop {
        let sent = match from {
            None => sendto(fd, reply, &peer, flags),
            from => with_control(from, None, |control| {
                sendmsg(fd, &contents, control, flags, Some(&peer))
            }),
        };
        match sent {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Calls `send` with the control messages that say where to send `from`, and after how many
/// bytes to `cut`.
fn with_control<T>(
    from: Option<IpAddr>,
    cut: Option<u16>,
    send: impl FnOnce(&[ControlMessage<'_>]) -> T,
) -> T {
    let (v4, v6);
    let from = match from {
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
    match (from, cut.as_ref().map(ControlMessage::UdpGsoSegments)) {
        (Some(from), Some(cut)) => send(&[from, cut]),
        (Some(one), None) | (None, Some(one)) => send(&[one]),
        (None, None) => send(&[]),
    }
}

/// The bytes that a control message takes.
fn space(control: &ControlMessage<'_>) -> usize {
    match control {
        ControlMessage::Ipv4PacketInfo(_) => cmsg_space!(in_pktinfo).len(),
        ControlMessage::Ipv6PacketInfo(_) => cmsg_space!(in6_pktinfo).len(),
        _ => cmsg_space!(u16).len(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use common::server::listen::{BoundSocket, Families, Sharing};

    use super::*;

    fn envelope(peer: &str, from: &str) -> Envelope {
        let from = Some(from.parse().unwrap());
        Envelope { peer: peer.parse().unwrap(), asked: Asked { from, ..Asked::default() } }
    }

    /// How many replies each message holds.
    fn counts(replies: &ReplyBatch) -> Vec<usize> {
        replies.messages[..replies.used].iter().map(|message| message.count).collect()
    }

    #[test]
    fn a_batch_is_from_one_address_and_of_one_length_whoever_gets_it() {
        let a = envelope("192.0.2.1:5", "192.0.2.9");
        let b = envelope("192.0.2.1:6", "192.0.2.9");
        let elsewhere = envelope("192.0.2.1:5", "192.0.2.10");
        let mut replies = ReplyBatch::default();
        assert!(replies.add(a, b"ok", 3));
        assert!(replies.add(b, b"ok", 3), "another peer");
        assert!(!replies.add(elsewhere, b"ok", 3), "another address was asked");
        assert!(!replies.add(a, b"longer", 3));
        assert!(replies.add(a, b"ok", 3) && replies.add(a, b"ok", 3));
        assert_eq!(counts(&replies), [3, 1], "those to one peer are one message");
        assert!(replies.add(a, b"ok", 3), "the first message is full");
        assert_eq!(counts(&replies), [3, 1, 1]);
        assert_eq!(replies.count(), 5);
    }

    #[test]
    fn an_empty_reply_goes_alone_and_a_message_has_a_largest_size() {
        let a = envelope("192.0.2.1:5", "192.0.2.9");
        let mut empty = ReplyBatch::default();
        assert!(empty.add(a, b"", 64) && empty.add(a, b"", 64));
        assert_eq!(counts(&empty), [1, 1]);
        let mut large = ReplyBatch::default();
        (0..64).for_each(|_| assert!(large.add(a, &[b'x'; 1024], 64)));
        let most = MOST_REPLY_BYTES / 1024;
        assert_eq!(counts(&large), [most, 64 - most]);
    }

    #[test]
    fn a_batch_has_room_for_as_many_peers_as_one_of_datagrams() {
        let mut replies = ReplyBatch::default();
        for port in 0..BATCH_SIZE {
            assert!(replies.add(envelope(&format!("192.0.2.1:{port}"), "192.0.2.9"), b"ok", 64));
        }
        assert!(!replies.add(envelope("192.0.2.2:1", "192.0.2.9"), b"ok", 64));
    }

    #[test]
    fn what_cannot_be_sent_does_not_hold_up_the_others() {
        let localhost = "127.0.0.1:0".parse().unwrap();
        let socket = ServerSocket::bind(localhost, Families::Own, Sharing::Alone).unwrap();
        let [first, last] = ["127.0.0.1:0"; 2].map(|it| UdpSocket::bind(it).unwrap());
        let [before, after] = [&first, &last].map(|peer| peer.local_addr().unwrap());
        // Without SO_BROADCAST the kernel sends nothing there.
        let nobody = SocketAddr::from(([255; 4], 9));
        let mut replies = ReplyBatch::default();
        for peer in [before, nobody, after, before, nobody, before] {
            let reply = [b'0' + u8::try_from(replies.count()).unwrap()];
            assert!(replies.add(Envelope { peer, asked: Asked::default() }, &reply, 64));
        }
        let mut notes = Vec::new();
        replies.send(&socket, |peer, sent| notes.push((peer, sent)));
        let failed = (nobody, Err(Errno::EACCES));
        assert_eq!(notes, [(before, Ok(3)), failed, failed, (after, Ok(1))]);
        for (peer, expected) in [(&first, &b"0"[..]), (&first, b"3"), (&first, b"5"), (&last, b"2")]
        {
            let mut reply = [0; 2];
            let length = peer.recv(&mut reply).unwrap();
            assert_eq!(&reply[..length], expected);
        }
        assert_eq!(replies.count(), 0);
    }
}
