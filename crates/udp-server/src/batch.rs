//! The system calls: many datagrams in one receive, and the replies to a run
//! of them from one peer in one send.
//!
//! recvmmsg(2) fills a batch; where the kernel has coalesced datagrams of one
//! peer (UDP GRO, udp(7)), a buffer holds several. A run of replies leaves as
//! one (UDP GSO), and is cut up by the kernel or the network card. Each reply
//! leaves from the address that was asked (`IP_PKTINFO`, ip(7)): a client
//! takes no other for its answer.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use nix::Error as Errno;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};

use crate::limits::{RECEIVE_SIZE, RUN_SIZE};

/// Room for the datagrams of one receive. Memory is only used as far as
/// datagrams have filled it.
#[derive(Debug)]
pub struct Batch {
    buffers: Box<[u8]>,
    meta: Box<[RecvMeta]>,
    filled: usize,
}

/// A datagram in a batch.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub way: Way,
    /// Whether it went to a group: multicast, or the limited broadcast.
    pub to_group: bool,
    pub message: &'a [u8],
}

/// Whence a datagram came, and where to: its reply goes the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub peer: SocketAddr,
    /// The address that was asked, where the system says so and a reply can
    /// leave from it.
    pub asked: Option<IpAddr>,
}

impl Batch {
    pub fn new() -> Self {
        let buffers = vec![0; BATCH_SIZE * RECEIVE_SIZE].into();
        Self { buffers, meta: vec![RecvMeta::default(); BATCH_SIZE].into(), filled: 0 }
    }

    /// Receives what there is, as far as there is room for.
    pub fn receive(&mut self, socket: &UdpSocket, state: &UdpSocketState) -> io::Result<()> {
        self.filled = 0;
        let mut buffers = self.buffers.chunks_mut(RECEIVE_SIZE);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        self.filled = state.recv(socket.into(), &mut slices, &mut self.meta)?;
        Ok(())
    }

    /// The datagrams, in the order in which they came.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.buffers.chunks(RECEIVE_SIZE);
        buffers.zip(&self.meta[..self.filled]).flat_map(|(buffer, meta)| {
            let asked = meta.dst_ip.filter(|&ip| is_one_host(ip));
            let way = Way { peer: meta.addr, asked };
            let to_group = meta.dst_ip.is_some() && asked.is_none();
            let messages = messages(&buffer[..meta.len], meta.stride);
            messages.map(move |message| Datagram { way, to_group, message })
        })
    }
}

/// The messages in a buffer: one, or as many as were coalesced, all of the
/// same length but the last. An empty one is one.
fn messages(buffer: &[u8], stride: usize) -> impl Iterator<Item = &[u8]> {
    let empty = buffer.is_empty().then_some(buffer);
    empty.into_iter().chain(buffer.chunks(stride.max(1)))
}

/// Whether a reply can leave from `ip`, so from no group's address. (That
/// of a subnet's broadcast cannot be told from here; see [`Run::send`].)
fn is_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_multicast() && !ip.is_unspecified() && ip != IpAddr::from([255, 255, 255, 255])
}

/// Whether `error` says that the address asked is none of ours (ip(7)), and so
/// may be a subnet's broadcast: that reply has to leave from another. Any other
/// error is one of the way, and a reply from elsewhere would find nobody.
fn may_be_broadcast(way: Way, error: &io::Error) -> bool {
    way.asked.is_some_and(|ip| ip.to_canonical().is_ipv4())
        && error.raw_os_error() == Some(Errno::EINVAL as i32)
}

/// Replies of one length that go the same way, in one send.
#[derive(Debug, Default)]
pub struct Run {
    way: Option<Way>,
    each: usize,
    count: usize,
    contents: Vec<u8>,
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many replies are on their way.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The errors of the others.
    pub failed: Vec<io::Error>,
}

impl Run {
    /// How many replies it holds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Who gets them.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.way.map(|way| way.peer)
    }

    /// Adds a reply, where it goes with those that are here and there is room
    /// for it: at most `most` of them.
    pub fn add(&mut self, way: Way, reply: &[u8], most: usize) -> bool {
        let fits = self.count == 0
            || (self.way == Some(way)
                // Nothing cannot be cut into pieces.
                && self.each == reply.len() && self.each > 0
                && self.count < most && self.contents.len() + reply.len() <= RUN_SIZE);
        if fits {
            self.way = Some(way);
            self.each = reply.len();
            self.count += 1;
            self.contents.extend_from_slice(reply);
        }
        fits
    }

    /// Sends the replies, and holds none any more. Where they cannot go
    /// together, each goes alone.
    pub fn send(&mut self, socket: &UdpSocket, state: &UdpSocketState) -> Sent {
        let mut outcome = Sent::default();
        let Some(way) = self.way.take() else {
            return outcome;
        };
        let together = Transmit {
            destination: way.peer,
            ecn: None,
            contents: &self.contents,
            segment_size: Some(self.each),
            src_ip: way.asked,
        };
        if self.count > 1 && state.try_send(socket.into(), &together).is_ok() {
            outcome.count = self.count as u64;
        } else {
            for n in 0..self.count {
                let contents = &self.contents[n * self.each..][..self.each];
                let one = Transmit { contents, segment_size: None, ..together.clone() };
                let sent = state.try_send(socket.into(), &one).or_else(|error| {
                    if !may_be_broadcast(way, &error) {
                        return Err(error);
                    }
                    state.try_send(socket.into(), &Transmit { src_ip: None, ..one })
                });
                match sent {
                    Ok(()) => outcome.count += 1,
                    Err(error) => outcome.failed.push(error),
                }
            }
        }
        outcome.bytes = outcome.count * self.each as u64;
        self.count = 0;
        self.contents.clear();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(peer: &str, asked: &str) -> Way {
        Way { peer: peer.parse().unwrap(), asked: Some(asked.parse().unwrap()) }
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
    fn a_run_is_of_one_way_and_one_length() {
        let (a, b) = (way("192.0.2.1:5", "192.0.2.9"), way("192.0.2.1:6", "192.0.2.9"));
        let elsewhere = way("192.0.2.1:5", "192.0.2.10");
        let mut run = Run::default();
        assert!(run.add(a, b"ok", 3));
        assert!(!run.add(b, b"ok", 3), "another peer");
        assert!(!run.add(elsewhere, b"ok", 3), "another address was asked");
        assert!(!run.add(a, b"longer", 3));
        assert!(run.add(a, b"ok", 3) && run.add(a, b"ok", 3));
        assert!(!run.add(a, b"ok", 3), "it is full");
        assert_eq!((run.count(), run.peer()), (3, Some(a.peer)));
    }

    #[test]
    fn a_run_of_nothing_is_one_reply_and_one_of_much_ends_in_time() {
        let a = way("192.0.2.1:5", "192.0.2.9");
        let mut empty = Run::default();
        assert!(empty.add(a, b"", 64));
        assert!(!empty.add(a, b"", 64));
        let mut large = Run::default();
        let added = (0..100).take_while(|_| large.add(a, &[b'x'; 1024], 64)).count();
        assert_eq!(added, RUN_SIZE / 1024);
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
