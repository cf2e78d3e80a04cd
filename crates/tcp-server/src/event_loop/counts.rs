//! What turns take from the events of new connections to their ends, over loopback: `scripts/counts`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;

use common::options::of_words;
use common::protocol::TCP_REPLY;
use common::testing::counted::count;

use super::*;
use crate::cli::Options;

/// An event loop for one address.
fn event_loop() -> EventLoop {
    let options = of_words::<Options>(["tcp-server", "--listen", "127.0.0.1:0"]).unwrap();
    let listeners = options.service.listen.bind(NonZeroUsize::MIN).unwrap().remove(0);
    let shared = Arc::new(Shared::new(&options, 1, 1));
    EventLoop::new(0, shared, listeners, options.max_connections(1), None).unwrap()
}

/// Turns that answer so many `peers`, whose messages have come with their connections, and end the
/// connections of those before.
fn count_turns(peers: usize) {
    let mut event_loop = event_loop();
    let target = event_loop.addresses().next().unwrap();
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut now = Instant::now();
    count(
        || {
            for mut stream in streams.drain(..) {
                let mut reply = String::new();
                stream.read_to_string(&mut reply).unwrap();
                assert_eq!(reply, TCP_REPLY);
            }
            for _ in 0..peers {
                let mut stream = TcpStream::connect(target).unwrap();
                stream.write_all(b"hehe").unwrap();
                streams.push(stream);
            }
        },
        || {
            // By now all have closed that were answered the last time.
            now += Duration::from_secs(1);
            event_loop.wait_for_events(None).unwrap();
            event_loop.turn(now).unwrap();
            while event_loop.time_left(now) == Some(Duration::ZERO) {
                event_loop.turn(now).unwrap();
            }
        },
    );
}

#[test]
#[ignore = "scripts/counts runs it"]
fn one_connection() {
    count_turns(1);
}

#[test]
#[ignore = "scripts/counts runs it"]
fn sixteen_connections() {
    count_turns(16);
}
