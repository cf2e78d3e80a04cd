//! Replies that leave in one system call, whoever gets them: sendmmsg(2). Those to one peer are
//! one message in it, which the kernel or the network card cuts up: UDP GSO, udp(7).

mod single;

use std::io::IoSlice;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::Error as Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, SockaddrIn6, sendmmsg};

use crate::batch::{Asked, Envelope};
use crate::family::Address;
use crate::headers::{Headers, with_control};
use crate::limits::{BATCH_SIZE, MOST_REPLY_BYTES};
use crate::socket::ServerSocket;

/// How many hashes peers have: as many as a batch has peers, at most.
const HASHES: usize = BATCH_SIZE;

/// The index of no message.
const NONE: usize = usize::MAX;

/// Replies of one length, which leave from one address with one DSCP. It stays on the thread of its event loop:
/// the headers hold pointers.
#[derive(Debug)]
pub struct ReplyBatch {
    /// Where the replies leave from.
    asked: Asked,
    /// The length of each reply.
    length: usize,
    count: usize,
    /// The messages to send come first. Those after them have room for replies to come.
    messages: Vec<Message>,
    used: usize,
    /// For each hash, which message was the latest to a peer with this hash. One of an earlier
    /// batch may be left: it leads to messages to others, which is a detour and no more.
    latest: [usize; HASHES],
    v4: Headers<SockaddrIn>,
    v6: Headers<SockaddrIn6>,
}

impl Default for ReplyBatch {
    fn default() -> Self {
        Self {
            asked: Asked::default(),
            length: 0,
            count: 0,
            messages: Vec::new(),
            used: 0,
            latest: [NONE; HASHES],
            v4: Headers::default(),
            v6: Headers::default(),
        }
    }
}

/// The replies to one peer.
#[derive(Debug)]
struct Message {
    peer: SocketAddr,
    count: usize,
    contents: Vec<u8>,
    /// The message before to a peer with the same hash: one with a lower index, or [`NONE`].
    earlier: usize,
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
    pub fn add(&mut self, envelope: &Envelope, reply: &[u8], most: usize) -> bool {
        let &Envelope { peer, ref asked } = envelope;
        if self.count == 0 {
            (self.asked, self.length) = (*asked, reply.len());
        } else if self.asked != *asked || self.length != reply.len() {
            return false;
        }
        let hash = hash(peer, HASHES);
        let message = match self.latest_to(peer, hash) {
            // Replies are of one length, so the messages before have no room either.
            Some(at) if self.messages[at].has_room(reply, most) => &mut self.messages[at],
            _ if self.used == BATCH_SIZE => return false,
            _ => {
                let latest = mem::replace(&mut self.latest[hash], self.used);
                let earlier = if latest < self.used { latest } else { NONE };
                if self.used == self.messages.len() {
                    self.messages.push(Message { peer, count: 0, contents: Vec::new(), earlier });
                }
                let message = &mut self.messages[self.used];
                (message.peer, message.count, message.earlier) = (peer, 0, earlier);
                message.contents.clear();
                self.used += 1;
                message
            }
        };
        message.contents.extend_from_slice(reply);
        message.count += 1;
        self.count += 1;
        true
    }

    /// The latest message to `peer`, which has this `hash`.
    fn latest_to(&self, peer: SocketAddr, hash: usize) -> Option<usize> {
        let used = &self.messages[..self.used];
        let mut at = self.latest[hash];
        while used.get(at)?.peer != peer {
            at = used[at].earlier;
        }
        Some(at)
    }

    /// Sends the replies. The batch is empty afterwards. Of each message `note` learns how many
    /// replies were sent, or the error of one that could not be sent.
    pub fn send(
        &mut self,
        socket: &ServerSocket,
        note: impl FnMut(SocketAddr, Result<usize, Errno>),
    ) {
        if self.used == 0 {
            return;
        }
        if socket.is_ipv6 {
            let mut headers = mem::take(&mut self.v6);
            self.send_with(&mut headers, socket, note);
            self.v6 = headers;
        } else {
            let mut headers = mem::take(&mut self.v4);
            self.send_with(&mut headers, socket, note);
            self.v4 = headers;
        }
        (self.count, self.used) = (0, 0);
    }

    fn send_with<A: Address>(
        &self,
        headers: &mut Headers<A>,
        socket: &ServerSocket,
        mut note: impl FnMut(SocketAddr, Result<usize, Errno>),
    ) {
        let mut left = &self.messages[..self.used];
        while !left.is_empty() {
            let (sent, others) = left.split_at(self.send_together(headers, socket, left));
            sent.iter().for_each(|message| note(message.peer, Ok(message.count)));
            left = others;
            // The call has stopped at this one. The kernel cuts up no replies that would have to
            // be fragmented too, and not every network card can cut.
            if let Some((message, others)) = left.split_first() {
                for n in 0..message.count {
                    let reply = &message.contents[n * self.length..][..self.length];
                    let sent = single::send::<A>(socket, self.asked, message.peer, reply);
                    note(message.peer, sent.map(|()| 1));
                }
                left = others;
            }
        }
    }

    /// Sends as many of `messages` as the system takes in one call, and returns how many these
    /// are. To send one reply alone, there is a cheaper call.
    fn send_together<A: Address>(
        &self,
        headers: &mut Headers<A>,
        socket: &ServerSocket,
        messages: &[Message],
    ) -> usize {
        let (first, is_alone) = (&messages[0], messages.len() == 1);
        if is_alone && first.count == 1 {
            return 0;
        }
        let are_cut = messages.iter().any(|message| message.count > 1);
        let cut = u16::try_from(self.length).ok().filter(|_| are_cut);
        let mut count = 0;
        with_control(self.asked, socket.is_ipv6, cut, &mut |control| {
            let headers = headers.with_room_for(control);
            let contents: Vec<_> =
                messages.iter().map(|message| [IoSlice::new(&message.contents)]).collect();
            let peers: Vec<_> = messages.iter().map(|message| A::of(message.peer)).collect();
            let fd = socket.udp.as_raw_fd();
            let sent = sendmmsg(fd, headers, &contents, &peers, control, MsgFlags::MSG_DONTWAIT);
            count = sent.map_or(0, Iterator::count);
        });
        count
    }
}

impl Message {
    /// Whether `reply` can be added.
    fn has_room(&self, reply: &[u8], most: usize) -> bool {
        // Nobody could cut up several empty replies.
        let is_longer = !reply.is_empty() && self.contents.len() + reply.len() <= MOST_REPLY_BYTES;
        self.count < most && is_longer
    }
}

/// A hash of `peer`, of so `many`: quick, since the worst that peers can do who choose theirs is that
/// a search looks at each message of a batch.
pub fn hash(peer: SocketAddr, many: usize) -> usize {
    let address = match peer.ip() {
        IpAddr::V4(ip) => ip.to_bits(),
        // The last bits differ most.
        IpAddr::V6(ip) => ip.to_bits() as u32,
    };
    // Multiplicative hashing: with the golden ratio, of which the highest bits depend on all.
    let product = (address ^ u32::from(peer.port())).wrapping_mul(0x9e37_79b9);
    ((u64::from(product) * many as u64) >> u32::BITS) as usize
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
        assert!(replies.add(&a, b"ok", 3));
        assert!(replies.add(&b, b"ok", 3), "another peer");
        assert!(!replies.add(&elsewhere, b"ok", 3), "another address was asked");
        assert!(!replies.add(&a, b"longer", 3));
        assert!(replies.add(&a, b"ok", 3) && replies.add(&a, b"ok", 3));
        assert_eq!(counts(&replies), [3, 1], "those to one peer are one message");
        assert!(replies.add(&a, b"ok", 3), "the first message is full");
        assert_eq!(counts(&replies), [3, 1, 1]);
        assert_eq!(replies.count(), 5);
    }

    #[test]
    fn an_empty_reply_goes_alone_and_a_message_has_a_largest_size() {
        let a = envelope("192.0.2.1:5", "192.0.2.9");
        let mut empty = ReplyBatch::default();
        assert!(empty.add(&a, b"", 64) && empty.add(&a, b"", 64));
        assert_eq!(counts(&empty), [1, 1]);
        let mut large = ReplyBatch::default();
        (0..64).for_each(|_| assert!(large.add(&a, &[b'x'; 1024], 64)));
        let most = MOST_REPLY_BYTES / 1024;
        assert_eq!(counts(&large), [most, 64 - most]);
    }

    #[test]
    fn a_batch_has_room_for_as_many_peers_as_one_of_datagrams() {
        let mut replies = ReplyBatch::default();
        for port in 0..BATCH_SIZE {
            assert!(replies.add(&envelope(&format!("192.0.2.1:{port}"), "192.0.2.9"), b"ok", 64));
        }
        assert!(!replies.add(&envelope("192.0.2.2:1", "192.0.2.9"), b"ok", 64));
    }

    #[test]
    fn peers_are_found_whatever_an_earlier_batch_has_left() {
        let mut replies = ReplyBatch::default();
        let mut ports: Vec<_> = (0..BATCH_SIZE).collect();
        for round in 0..20 {
            ports.rotate_left(round);
            ports.reverse();
            for port in ports.iter().chain(&ports) {
                let peer = envelope(&format!("192.0.2.1:{}", port + round), "192.0.2.9");
                assert!(replies.add(&peer, b"ok", 64));
            }
            assert_eq!(counts(&replies), [2; BATCH_SIZE]);
            (replies.count, replies.used) = (0, 0);
        }
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
            assert!(replies.add(&Envelope { peer, asked: Asked::default() }, &reply, 64));
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
