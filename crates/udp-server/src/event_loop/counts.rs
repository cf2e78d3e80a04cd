//! What a turn takes from its event to its sends, over loopback: `scripts/counts`.

use std::net::{Ipv4Addr, UdpSocket};
use std::num::NonZeroUsize;

use common::options::of_words;
use common::protocol::UDP_REPLY;
use common::testing::counted::count;

use super::*;
use crate::cli::Options;

/// An event loop for one address.
fn event_loop() -> EventLoop {
    let options = of_words::<Options>(["udp-server", "--listen", "127.0.0.1:0"]).unwrap();
    let sockets = options.service.listen.bind(NonZeroUsize::MIN).unwrap().remove(0);
    let shared = Arc::new(Shared::new(&options, 1));
    EventLoop::new(0, shared, sockets, None).unwrap()
}

/// A turn that answers `each` datagrams of each of so many `peers`.
fn count_turn(peers: usize, each: usize) {
    let mut event_loop = event_loop();
    let mut replies = ReplyBatch::default();
    let target = event_loop.addresses().next().unwrap();
    let peers: Vec<_> =
        (0..peers).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    let now = Instant::now();
    let mut buffer = [0; 64];
    let mut unanswered = 0;
    count(
        || {
            for peer in &peers {
                (0..unanswered).for_each(|_| {
                    let length = peer.recv(&mut buffer).unwrap();
                    assert_eq!(&buffer[..length], UDP_REPLY.as_bytes());
                });
                (0..each).for_each(|_| assert!(peer.send_to(b"hehe", target).is_ok()));
            }
            unanswered = each;
        },
        || {
            event_loop.wait_for_events(None).unwrap();
            while event_loop.is_ready() {
                event_loop.turn(&mut replies, now).unwrap();
            }
        },
    );
}

#[test]
#[ignore = "scripts/counts runs it"]
fn one_datagram() {
    count_turn(1, 1);
}

#[test]
#[ignore = "scripts/counts runs it"]
fn sixteen_of_one_peer() {
    count_turn(1, 16);
}

#[test]
#[ignore = "scripts/counts runs it"]
fn one_of_each_of_sixteen_peers() {
    count_turn(16, 1);
}
