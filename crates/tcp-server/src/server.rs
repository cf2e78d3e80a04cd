//! The event loop: it waits for readiness, gives everything that is ready its
//! turn, and ends what has run out of time.
//!
//! Readiness is edge-triggered: what stops before it has drained its socket
//! gets no new event. So events only add to a list of what is ready; a turn
//! gives each on the list a bounded number of steps, and what could have gone
//! on is on the next turn's list, before which the loop does not sleep.
//!
//! All events of a turn are taken before any socket is closed or accepted, so
//! none can be meant for a connection that had the same token before.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::exit::{Failure, reason};
use common::shutdown::Shutdown;
use common::transcript::Transcript;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::cli::Options;
use crate::connection::{Connection, End, Step};
use crate::connections::{Connections, Slot};
use crate::events::{self, Totals};
use crate::limits::{
    ACCEPTS_PER_TURN, DISCARD_SIZE, DRAIN, EVENTS_PER_TURN, LAST_ACCEPTS, STEPS_PER_TURN,
};
use crate::listener::{Accepted, Listener};

/// The token of the waker. Those of the listeners count from zero, and the
/// connections' follow: [`Server::first_key`].
const WAKER: Token = Token(usize::MAX);

/// The server: its sockets, and what is to be done with them.
#[derive(Debug)]
pub struct Server {
    poll: Poll,
    listeners: Vec<Listener>,
    connections: Connections,
    /// The token of the connection with key 0.
    first_key: usize,
    /// The tokens that are due for a turn.
    ready: BTreeSet<usize>,
    reply: Rc<[u8]>,
    buffer: Box<[u8]>,
    totals: Totals,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Serving,
    /// Nobody is accepted any more; replies under way are finished until then.
    Draining(Instant),
}

impl Server {
    /// Listens on the addresses that `options` name.
    pub fn listen(options: &Options) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(unavailable)?;
        let mut listeners = options.listen.open(Listener::open)?;
        for (token, listener) in listeners.iter_mut().enumerate() {
            let socket = listener.socket_mut();
            poll.registry()
                .register(socket, Token(token), Interest::READABLE)
                .map_err(unavailable)?;
        }
        Ok(Self {
            poll,
            first_key: listeners.len(),
            listeners,
            connections: Connections::default(),
            ready: BTreeSet::new(),
            reply: options.reply.0.as_slice().into(),
            buffer: vec![0; DISCARD_SIZE].into(),
            totals: Totals::default(),
            phase: Phase::Serving,
        })
    }

    /// What wakes the loop from another thread.
    pub fn waker(&self) -> Result<Waker, Failure> {
        Waker::new(self.poll.registry(), WAKER).map_err(unavailable)
    }

    /// Serves until `shutdown` is requested, and everybody is served.
    pub fn run(mut self, shutdown: &Shutdown, transcript: &Transcript) -> Result<(), Failure> {
        for listener in &self.listeners {
            events::listening(listener.address());
        }
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut now = Instant::now();
        while !self.is_over(now) {
            transcript.publish();
            match self.poll.poll(&mut events, self.time_left(now)) {
                Ok(()) => {}
                // Ctrl-Z and fg; whatever `events` still holds was seen.
                Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
                Err(error) => return Err(broken(error)),
            }
            now = Instant::now();
            events.iter().for_each(|event| self.note(event));
            self.turn(now)?;
            if shutdown.is_requested() && matches!(self.phase, Phase::Serving) {
                self.stop_listening(now);
            }
        }
        for key in self.connections.keys() {
            self.expire(key);
        }
        events::stopped(self.totals);
        Ok(())
    }

    /// How long the loop may sleep: not at all while something is ready, else
    /// until the earliest deadline of anything.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let drained = match self.phase {
            Phase::Serving => None,
            Phase::Draining(until) => Some(until),
        };
        let rested = self.listeners.iter().filter_map(|listener| listener.rest.until());
        let deadlines = self.connections.earliest_deadline().into_iter();
        let earliest = deadlines.chain(rested).chain(drained).min();
        earliest.map(|earliest| earliest.saturating_duration_since(now))
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Serving => false,
            Phase::Draining(until) => self.connections.is_empty() || now >= until,
        }
    }

    /// Puts what `event` is about on the list. Tokens that nothing has, as
    /// spurious events may, come to nothing.
    fn note(&mut self, event: &Event) {
        let Token(token) = event.token();
        if let Some(slot) = self.connection(token) {
            slot.connection.ready(event.is_read_closed());
        }
        if event.token() != WAKER {
            self.ready.insert(token);
        }
    }

    fn connection(&mut self, token: usize) -> Option<&mut Slot> {
        self.connections.get_mut(token.checked_sub(self.first_key)?)
    }

    /// Gives everything on the list its turn.
    fn turn(&mut self, now: Instant) -> Result<(), Failure> {
        for (token, listener) in self.listeners.iter().enumerate() {
            if listener.rest.until().is_some_and(|until| until <= now) {
                self.ready.insert(token);
            }
        }
        for token in mem::take(&mut self.ready) {
            match token.checked_sub(self.first_key) {
                Some(key) => self.serve(key, now),
                None => self.accept(token, ACCEPTS_PER_TURN, now)?,
            }
        }
        while let Some(key) = self.connections.expired(now) {
            self.expire(key);
        }
        Ok(())
    }

    /// Accepts up to `budget` connections from the listener with `token`.
    fn accept(&mut self, token: usize, budget: usize, now: Instant) -> Result<(), Failure> {
        for _ in 0..budget {
            let Some(listener) = self.listeners.get_mut(token) else {
                return Ok(());
            };
            let short = match listener.accept(now) {
                Accepted::Connection(stream, peer) => match self.admit(stream, peer, now) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Accepted::Gone(error) => {
                    events::gone_before_accept(&error);
                    continue;
                }
                Accepted::Nobody => return Ok(()),
                Accepted::Short(error) => error,
                Accepted::Broken(error) => {
                    return Err(Failure::outcome(listener.address(), reason(&error)));
                }
            };
            self.listeners[token].rest_after(&short, now);
            return Ok(());
        }
        self.ready.insert(token);
        Ok(())
    }

    /// Takes up a connection. One that cannot be registered is lost, for a
    /// shortage of this machine's.
    fn admit(&mut self, mut stream: TcpStream, peer: SocketAddr, now: Instant) -> io::Result<()> {
        self.totals.connections += 1;
        events::accepted(peer);
        let token = Token(self.first_key + self.connections.next_key());
        if let Err(error) = self.poll.registry().register(&mut stream, token, Interest::READABLE) {
            self.totals.lost += 1;
            return Err(error);
        }
        let connection = Connection::new(stream, Rc::clone(&self.reply), now);
        self.connections.insert(connection, peer);
        Ok(())
    }

    /// Lets the connection with `key` go on, up to its share of a turn.
    fn serve(&mut self, key: usize, now: Instant) {
        for _ in 0..STEPS_PER_TURN {
            let Some(slot) = self.connections.get_mut(key) else {
                return;
            };
            match slot.connection.step(&mut self.buffer, now) {
                Step::Received(message) => {
                    events::received(message);
                    self.connections.reschedule(key);
                }
                Step::Answered => {
                    self.totals.answered += 1;
                    events::answered(slot.peer);
                }
                Step::Again => {}
                Step::WaitToReceive => return,
                Step::WaitToSend => return self.await_writing(key),
                Step::Ended(end) => return self.remove(key, end),
            }
        }
        self.ready.insert(self.first_key + key);
    }

    /// Asks to be told when the connection with `key` can be written to.
    fn await_writing(&mut self, key: usize) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        if mem::replace(&mut slot.awaits_writing, true) {
            return;
        }
        let token = Token(self.first_key + key);
        let both = Interest::READABLE | Interest::WRITABLE;
        let stream = slot.connection.stream_mut();
        if let Err(error) = self.poll.registry().reregister(stream, token, both) {
            self.remove(key, End::Lost(error));
        }
    }

    /// Ends the connection with `key`, whose time has run out.
    fn expire(&mut self, key: usize) {
        if let Some(slot) = self.connections.get_mut(key) {
            let end = slot.connection.expire();
            self.remove(key, end);
        }
    }

    /// Takes out the connection with `key`. A listener that lacked its
    /// descriptor gets a chance.
    fn remove(&mut self, key: usize, end: End) {
        if let Some(slot) = self.connections.remove(key) {
            self.tally(slot.peer, end);
        }
        for (token, listener) in self.listeners.iter_mut().enumerate() {
            if listener.rest.until().is_some() {
                listener.rest.end_early();
                self.ready.insert(token);
            }
        }
    }

    /// Counts how a connection ended, and tells of it.
    fn tally(&mut self, peer: SocketAddr, end: End) {
        match end {
            End::Answered => {}
            End::Lost(error) => {
                self.totals.lost += 1;
                events::lost(peer, &error);
            }
            End::Silent => {
                self.totals.silent += 1;
                if matches!(self.phase, Phase::Serving) {
                    events::gave_up_on_silent(peer);
                }
            }
        }
    }

    /// Answers whoever has come so far, leaves those who are silent, and
    /// stays for those whose reply is under way.
    fn stop_listening(&mut self, now: Instant) {
        self.phase = Phase::Draining(now + DRAIN);
        self.last_turn(now);
        for token in 0..self.listeners.len() {
            self.listeners[token].rest.end_early();
            // A listener that breaks now was to be closed anyway.
            let _ = self.accept(token, LAST_ACCEPTS, now);
        }
        self.listeners.clear();
        self.last_turn(now);
    }

    /// Gives every connection a turn, and ends those without a message.
    fn last_turn(&mut self, now: Instant) {
        for key in self.connections.keys() {
            // Its message or its end may be here, although no event has said
            // so yet.
            if let Some(slot) = self.connections.get_mut(key) {
                slot.connection.ready(true);
            }
            self.serve(key, now);
            if self.connections.get_mut(key).is_some_and(|slot| slot.connection.is_silent()) {
                self.remove(key, End::Silent);
            }
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
