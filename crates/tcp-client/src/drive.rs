//! The loop that drives an exchange: it waits for readiness, or for the end of
//! its time.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::probe::outcome::Outcome;
use common::probe::trouble::Trouble;
use log::debug;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::exchange::{Exchange, Step};
use crate::stream;

const STREAM: Token = Token(0);

/// What is to be exchanged, and how.
#[derive(Clone, Copy, Debug)]
pub struct Order<'m> {
    pub message: &'m [u8],
    /// Whether this side is to be ended after the message.
    pub half_close: bool,
    /// The reply that is hoped for.
    pub hoped: Option<&'m [u8]>,
}

/// Exchanges a message for the reply of `peer`, within `limit`.
pub fn exchange(
    peer: SocketAddr,
    source: Option<SocketAddr>,
    order: Order<'_>,
    limit: Duration,
) -> Outcome {
    debug!("[*] Connecting to: {peer}");
    let start = Instant::now();
    let stream = match stream::connect(peer, source) {
        Ok(stream) => stream,
        Err(trouble) => return Outcome::failed(Some(peer), trouble),
    };
    let mut exchange = Exchange::new(stream, order.message, order.half_close, order.hoped);
    let mut connected = None;
    let result = drive(&mut exchange, limit, start, &mut connected);
    let reply = result.is_ok().then(|| connected.map(|connected: Instant| connected.elapsed()));
    Outcome {
        address: Some(peer),
        local: exchange.stream_mut().local_addr().ok(),
        connect: connected.map(|connected| connected - start),
        reply: reply.flatten(),
        result,
    }
    .without_own_word()
}

fn drive(
    exchange: &mut Exchange<'_, TcpStream>,
    limit: Duration,
    start: Instant,
    connected: &mut Option<Instant>,
) -> Result<Vec<u8>, Trouble> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(4);
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(exchange.stream_mut(), STREAM, both)?;
    loop {
        let step = exchange.step();
        match step {
            Step::Done(outcome) => return outcome,
            // The message goes next: its time begins here.
            Step::Connected => *connected = Some(Instant::now()),
            Step::Again | Step::Wait => {}
        }
        let time_left = limit.saturating_sub(start.elapsed());
        if time_left.is_zero() {
            return exchange.timed_out(limit);
        }
        if !matches!(step, Step::Wait) {
            continue;
        }
        match poll.poll(&mut events, Some(time_left)) {
            // Ctrl-Z and fg.
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
    }
}
