//! The event loop: it waits for datagrams, and answers them.
//!
//! Readiness is edge-triggered: a socket that is not drained when its share of
//! a turn is used up gets no new event, so it stays on the list of what is
//! ready, and the loop does not sleep while that list holds any.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::address::canonical;
use common::exit::{Failure, reason};
use common::shutdown::Shutdown;
use common::transcript::Transcript;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::cli::Options;
use crate::events::{self, Totals};
use crate::limits::{DATAGRAMS_PER_TURN, EVENTS_PER_TURN, LAST_TURNS, RECEIVE_SIZE};
use crate::listener::{Listener, Meaning};

/// The token of the waker; those of the sockets count from zero.
const WAKER: Token = Token(usize::MAX);

/// The server: its sockets, and what is to be done with them.
#[derive(Debug)]
pub struct Server {
    poll: Poll,
    listeners: Vec<Listener>,
    /// The tokens of the sockets that may have datagrams.
    ready: BTreeSet<usize>,
    reply: Vec<u8>,
    buffer: Box<[u8]>,
    totals: Totals,
}

impl Server {
    /// Listens on the addresses that `options` name.
    pub fn listen(options: &Options) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(unavailable)?;
        let mut listeners = options.listen.open(Listener::open)?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            let socket = &mut listener.socket;
            poll.registry()
                .register(socket, Token(token), Interest::READABLE)
                .map_err(unavailable)?;
        }
        Ok(Self {
            poll,
            listeners,
            ready: BTreeSet::new(),
            reply: options.reply.0.clone(),
            buffer: vec![0; RECEIVE_SIZE].into(),
            totals: Totals::default(),
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(unavailable)
    }

    /// Serves until `shutdown` is requested.
    pub fn run(mut self, shutdown: &Shutdown, transcript: &Transcript) -> Result<(), Failure> {
        for listener in &self.listeners {
            events::listening(listener.socket.local_addr().map_err(broken)?);
        }
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut is_waiting = false;
        while !shutdown.is_requested() {
            // Said when the loop goes back to waiting, and only then: not
            // while datagrams are left, nor for a Ctrl-Z that woke it.
            if self.ready.is_empty() && !mem::replace(&mut is_waiting, true) {
                events::waiting();
            }
            transcript.publish();
            match self.poll.poll(&mut events, self.time_left(Instant::now())) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
                Err(error) => return Err(broken(error)),
            }
            let tokens = events.iter().map(|event| event.token());
            self.ready.extend(tokens.filter(|&token| token != WAKER).map(|Token(token)| token));
            is_waiting &= self.turn(Instant::now())? == 0;
        }
        self.answer_the_last()?;
        events::stopped(self.totals);
        Ok(())
    }

    /// Answers what had come before the request to stop, within bounds.
    fn answer_the_last(&mut self) -> Result<(), Failure> {
        self.ready.extend(0..self.listeners.len());
        self.listeners.iter_mut().for_each(|listener| listener.rest.end_early());
        for _ in 0..LAST_TURNS {
            if self.turn(Instant::now())? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// How long the loop may sleep: not at all while something is ready, else
    /// until a socket has rested.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let rested = self.listeners.iter().filter_map(|listener| listener.rest.until()).min();
        rested.map(|rested| rested.saturating_duration_since(now))
    }

    /// Serves every socket on the list; says how many datagrams that were.
    fn turn(&mut self, now: Instant) -> Result<usize, Failure> {
        for (token, listener) in self.listeners.iter().enumerate() {
            if listener.rest.until().is_some_and(|until| until <= now) {
                self.ready.insert(token);
            }
        }
        let mut datagrams = 0;
        for token in mem::take(&mut self.ready) {
            datagrams += self.serve(token, now)?;
        }
        Ok(datagrams)
    }

    /// Answers what one socket holds, up to its share of a turn; says how many
    /// datagrams that were.
    fn serve(&mut self, token: usize, now: Instant) -> Result<usize, Failure> {
        let Some(listener) = self.listeners.get_mut(token) else {
            return Ok(0);
        };
        if !listener.rest.is_over(now) {
            return Ok(0);
        }
        let mut datagrams = 0;
        let mut trouble = None;
        for _ in 0..DATAGRAMS_PER_TURN {
            match listener.socket.recv_from(&mut self.buffer) {
                Ok((len, peer)) => {
                    datagrams += 1;
                    listener.rest.succeeded();
                    events::received(canonical(peer), &self.buffer[..len]);
                    answer(&listener.socket, &self.reply, peer, &mut self.totals);
                }
                Err(error) => match Meaning::of(&error) {
                    Meaning::Nothing => return Ok(datagrams),
                    Meaning::Passing => trouble = Some(error),
                    Meaning::Broken => return Err(broken(error)),
                },
            }
        }
        match trouble {
            // Nothing but errors for a whole turn will not be better at once.
            Some(error) if datagrams == 0 => {
                listener.rest_after(&error, now);
            }
            _ => {
                self.ready.insert(token);
            }
        }
        Ok(datagrams)
    }
}

/// Answers `peer`. A reply that cannot be sent is a datagram lost, as on any
/// network: it is told of, and ends nothing.
fn answer(socket: &UdpSocket, reply: &[u8], peer: SocketAddr, totals: &mut Totals) {
    match socket.send_to(reply, peer) {
        Ok(_) => {
            totals.answered += 1;
            events::answered(canonical(peer));
        }
        Err(error) => {
            totals.unanswered += 1;
            events::unanswered(canonical(peer), &error);
        }
    }
}

/// The event loop cannot be set up.
fn unavailable(error: io::Error) -> Failure {
    Failure::local("event loop", reason(&error))
}

/// The event loop itself cannot go on.
fn broken(error: io::Error) -> Failure {
    Failure::outcome("event loop", reason(&error))
}
