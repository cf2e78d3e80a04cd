//! The trace of a probe over UDP: its datagram again, from the same port to the same target, with
//! one hop limit after another. What routers say of it is in the error queue of the socket.

use std::io::ErrorKind;
use std::mem;
use std::time::{Duration, Instant};

use common::probe::examination::Subject;
use common::probe::trace::path::Path;
use common::probe::trace::{Answers, Next, Trace};

use crate::exchange::{MOST_RECEIVED, Socket, is_same};
use crate::port::Port;

/// The trace of a probe, from the port that it had left from.
#[derive(Debug)]
pub struct Tracing {
    port: Port,
    state: State,
    /// When there is something to do, even if nothing comes.
    next_at: Instant,
    /// How long answers are waited for that nobody needs: until then the port is not used again.
    quiet: Duration,
    /// Whether something has come.
    pub is_ready: bool,
}

#[derive(Debug)]
enum State {
    Asking(Trace),
    Quiet,
}

/// How it goes on.
#[derive(Debug)]
pub enum Step {
    /// When something comes, or later.
    Wait,
    /// The way is known, as far as it can be.
    Done(Path),
    /// No answer is to be expected any more.
    Quiet,
}

impl Tracing {
    /// The trace of `subject`, which had left from `port`, from `now` on. Afterwards the port is
    /// left alone for the time `quiet`.
    pub fn new(port: Port, subject: &Subject, now: Instant, quiet: Duration) -> Self {
        let Subject { local, address, end, is_silent, .. } = *subject;
        let answers = Answers::Unmatched { is_probe_silent: is_silent };
        let mut trace = Trace::new(local, address, now, end, answers);
        if !port.socket.has_error_queue() {
            // No router would be heard.
            trace.fail(&ErrorKind::Unsupported.into());
        }
        let state = State::Asking(trace);
        Self { port, state, next_at: now, quiet, is_ready: false }
    }

    /// When there is something to do, even if nothing comes.
    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Receives what has come, and asks with `datagram` what is to be asked at `now`.
    pub fn go_on(&mut self, datagram: &[u8], buffer: &mut [u8], now: Instant) -> Step {
        if !mem::take(&mut self.is_ready) && now < self.next_at {
            return Step::Wait;
        }
        let State::Asking(trace) = &mut self.state else {
            return if now < self.next_at { Step::Wait } else { Step::Quiet };
        };
        receive(&self.port, trace, buffer);
        loop {
            match trace.next(now) {
                Next::Ask(hops) => ask(&self.port, trace, hops, datagram),
                Next::Wait(until) => {
                    self.next_at = until;
                    return Step::Wait;
                }
                Next::Nothing => break,
            }
        }
        self.next_at = now + self.quiet;
        match mem::replace(&mut self.state, State::Quiet) {
            State::Asking(trace) => Step::Done(trace.into_path()),
            State::Quiet => Step::Quiet,
        }
    }

    /// What is known of the way so far; none if that has been said.
    pub fn into_path(self) -> Option<Path> {
        match self.state {
            State::Asking(trace) => Some(trace.into_path()),
            State::Quiet => None,
        }
    }
}

/// Sends `datagram` with this hop limit.
fn ask(port: &Port, trace: &mut Trace, hops: u8, datagram: &[u8]) {
    let peer = port.ends.peer;
    let limited = port.socket.limit_hops(hops, peer.is_ipv6());
    let sent = limited.and_then(|()| match port.socket.send(datagram, peer) {
        // An ICMP error that has come meanwhile, and belongs to what was sent before.
        Err(_) if port.socket.icmp_error().is_some() => port.socket.send(datagram, peer),
        sent => sent,
    });
    match sent {
        Ok(at) => trace.asked(port.ends.local, at),
        // The interface is busy. The second asking is later.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            trace.asked(port.ends.local, Instant::now());
        }
        Err(error) => trace.fail(&error),
    }
}

/// Takes in what has come to `port`. What others than the target send says nothing about the way.
fn receive(port: &Port, trace: &mut Trace, buffer: &mut [u8]) {
    for _ in 0..MOST_RECEIVED {
        let received = port.socket.receive(buffer);
        while let Some(error) = port.socket.icmp_error() {
            trace.icmp(error, Instant::now());
        }
        match received {
            Ok(received) if is_same(received.from, port.ends.peer) => {
                trace.reached(Instant::now());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}
