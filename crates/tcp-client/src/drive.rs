//! The loop that drives an exchange: it waits for readiness, or for the end of
//! its time.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::destination::Trouble;
use log::debug;
use mio::{Events, Interest, Poll, Token};

use crate::exchange::{Exchange, Step};
use crate::stream;

const STREAM: Token = Token(0);

/// Exchanges `message` for the reply of `peer`, within `limit`.
pub fn exchange(
    peer: SocketAddr,
    source: Option<SocketAddr>,
    message: &[u8],
    limit: Duration,
) -> Result<Vec<u8>, Trouble> {
    let start = Instant::now();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(4);
    let mut exchange = Exchange::new(stream::connect(peer, source)?, message);
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(exchange.stream_mut(), STREAM, both)?;
    debug!("[*] Connecting to: {peer}");
    loop {
        let step = exchange.step();
        if let Step::Done(outcome) = step {
            debug!("[*] Over after {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
            return outcome;
        }
        let time_left = limit.saturating_sub(start.elapsed());
        if time_left.is_zero() {
            return Err(exchange.timed_out(limit));
        }
        if matches!(step, Step::Again) {
            continue;
        }
        match poll.poll(&mut events, Some(time_left)) {
            // Ctrl-Z and fg.
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
    }
}
