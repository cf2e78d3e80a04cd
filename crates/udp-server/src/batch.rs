//! Batches: datagrams received in one system call, and replies sent in one.
//!
//! recvmmsg(2) fills a batch. If the kernel has coalesced datagrams of one peer (UDP
//! GRO, udp(7)), one buffer holds several. Replies to one peer leave in one send (UDP
//! GSO, udp(7)); the kernel or the network card cuts them up. Each reply leaves from
//! the address that its datagram was sent to (`IP_PKTINFO`, ip(7)), since that is where
//! the client expects its answer from.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use nix::Error as Errno;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit};

use crate::limits::{RECEIVE_SIZE, REPLY_BATCH_SIZE};
use crate::socket::ServerSocket;

/// The datagrams of one receive. Its buffers take up memory only as far as datagrams
/// have ever filled them.
#[derive(Debug)]
pub struct Batch {
    buffers: Box<[u8]>,
    meta: Box<[RecvMeta]>,
    filled: usize,
}

/// A datagram in a batch.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub envelope: Envelope,
    /// Whether it was sent to a group: multicast, or the limited broadcast.
    pub to_group: bool,
    pub message: &'a [u8],
}

/// Who sent a datagram, and to which address. The reply goes the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub peer: SocketAddr,
    /// The address that the datagram was sent to, if the system says so and a reply
    /// can leave from it.
    pub asked: Option<IpAddr>,
}

impl Batch {
    pub fn new() -> Self {
        let buffers = vec![0; BATCH_SIZE * RECEIVE_SIZE].into();
        Self { buffers, meta: vec![RecvMeta::default(); BATCH_SIZE].into(), filled: 0 }
    }

    /// Receives the datagrams that `socket` holds, as many as there is room for.
    pub fn receive(&mut self, socket: &ServerSocket) -> io::Result<()> {
        self.filled = 0;
        let mut buffers = self.buffers.chunks_mut(RECEIVE_SIZE);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        self.filled = socket.state.recv((&socket.udp).into(), &mut slices, &mut self.meta)?;
        Ok(())
    }

    /// The datagrams, in the order of their arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.buffers.chunks(RECEIVE_SIZE);
        buffers.zip(&self.meta[..self.filled]).flat_map(|(buffer, meta)| {
            let asked = meta.dst_ip.filter(|&ip| is_one_host(ip));
            let envelope = Envelope { peer: meta.addr, asked };
            let to_group = meta.dst_ip.is_some() && asked.is_none();
            let messages = messages(&buffer[..meta.len], meta.stride);
            messages.map(move |message| Datagram { envelope, to_group, message })
        })
    }
}

/// The messages in a buffer: one, or as many as were coalesced. All but the last have
/// the length `stride`. An empty buffer is one empty message.
fn messages(buffer: &[u8], stride: usize) -> impl Iterator<Item = &[u8]> {
    let empty = buffer.is_empty().then_some(buffer);
    empty.into_iter().chain(buffer.chunks(stride.max(1)))
}

/// Whether a reply can leave from `ip`, which must not be a group's address. (A subnet's
/// broadcast address cannot be recognized here: see [`may_be_broadcast`].)
fn is_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_multicast() && !ip.is_unspecified() && ip != IpAddr::from([255, 255, 255, 255])
}

/// Whether `error` says that the address asked is not an address of this machine
/// (ip(7)). It may be a subnet's broadcast address, and the reply has to leave from
/// another one. Any other error concerns the way to the peer, and another address would
/// not help.
fn may_be_broadcast(envelope: Envelope, error: &io::Error) -> bool {
    envelope.asked.is_some_and(|ip| ip.to_canonical().is_ipv4())
        && error.raw_os_error() == Some(Errno::EINVAL as i32)
}

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

    /// Sends the replies, together or, if that fails, each alone. The batch is empty
    /// afterwards.
    pub fn send(&mut self, socket: &ServerSocket) -> Sent {
        let mut sent = Sent::default();
        let Some(envelope) = self.envelope.take() else {
            return sent;
        };
        let try_send =
            |replies: &Transmit<'_>| socket.state.try_send((&socket.udp).into(), replies);
        let together = Transmit {
            destination: envelope.peer,
            ecn: None,
            contents: &self.contents,
            segment_size: Some(self.length),
            src_ip: envelope.asked,
        };
        if self.count > 1 && try_send(&together).is_ok() {
            sent.count = self.count as u64;
        } else {
            for n in 0..self.count {
                let contents = &self.contents[n * self.length..][..self.length];
                let one = Transmit { contents, segment_size: None, ..together.clone() };
                let result = match try_send(&one) {
                    Err(error) if may_be_broadcast(envelope, &error) => {
                        try_send(&Transmit { src_ip: None, ..one })
                    }
                    result => result,
                };
                match result {
                    Ok(()) => sent.count += 1,
                    Err(error) => sent.failed.push(error),
                }
            }
        }
        sent.bytes = sent.count * self.length as u64;
        self.count = 0;
        self.contents.clear();
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(peer: &str, asked: &str) -> Envelope {
        Envelope { peer: peer.parse().unwrap(), asked: Some(asked.parse().unwrap()) }
    }

    #[test]
    fn coalesced_datagrams_are_taken_apart() {
        let lengths = |bytes: &[u8], stride| messages(bytes, stride).map(<[u8]>::len).collect();
        let none: Vec<usize> = lengths(b"", 0);
        assert_eq!(none, [0], "an empty datagram is a datagram");
        assert_eq!(lengths(b"hello", 5), [5]);
        assert_eq!(lengths(b"hellohellohel", 5), [5, 5, 3]);
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

    #[test]
    fn no_reply_leaves_from_a_group() {
        for (ip, is_one) in [
            ("192.0.2.1", true),
            ("127.0.0.2", true),
            ("2001:db8::1", true),
            ("224.0.0.1", false),
            ("::ffff:224.0.0.1", false),
            ("ff02::1", false),
            ("255.255.255.255", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_one_host(ip.parse().unwrap()), is_one, "{ip}");
        }
    }
}
