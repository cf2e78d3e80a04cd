//! What a client's loop waits with: readiness, a time, a signal.

mod alarm;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::descriptors;
use crate::exit::Failure;
use crate::probe::interrupt::Interrupt;
use crate::probe::plan::MOST_SOCKETS;
use alarm::Alarm;

/// Descriptors that are no probe's: the standard ones and what a line is printed
/// to, the poller's, what finds the way out, and some to spare.
const OTHER_DESCRIPTORS: usize = 24;

const ALARM: Token = Token(usize::MAX);
const INTERRUPT: Token = Token(usize::MAX - 1);

/// Waits for sockets, whose tokens are small numbers.
#[derive(Debug)]
pub struct Poller {
    poll: Poll,
    events: Events,
    most_sockets: usize,
    alarm: Alarm,
    interrupt: Option<Interrupt>,
}

/// What was waited for.
#[derive(Debug)]
pub struct Woken {
    /// When it was there.
    pub at: Instant,
    /// The sockets that are ready.
    pub ready: Vec<Ready>,
    /// A signal asks to stop.
    pub is_interrupted: bool,
}

/// A socket that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// Its token.
    pub key: usize,
    /// There is nothing to be received from it so far.
    pub is_for_writing: bool,
}

impl Poller {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> Result<Self, Failure> {
        descriptors::raise_limit();
        let left = descriptors::limit().saturating_sub(OTHER_DESCRIPTORS);
        let most_sockets = left.clamp(1, MOST_SOCKETS);
        let poll = Poll::new().map_err(|error| Failure::cannot_poll(&error))?;
        let (events, alarm) = (Events::with_capacity(most_sockets), Alarm::new(ALARM));
        Ok(Self { poll, events, most_sockets, alarm, interrupt: None })
    }

    /// How many sockets there may be at once; a probe for which there is none is
    /// sent later.
    #[must_use]
    pub fn most_sockets(&self) -> usize {
        self.most_sockets
    }

    /// From now on SIGINT and SIGTERM are waited for, rather than end the process.
    ///
    /// # Errors
    /// The system's.
    pub fn catch_signals(&mut self) -> Result<(), Failure> {
        let interrupt = Interrupt::new(self.poll.registry(), INTERRUPT);
        self.interrupt = Some(interrupt.map_err(|error| Failure::cannot_poll(&error))?);
        Ok(())
    }

    /// Where sockets are registered.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// From now on `socket`, whose token is `key`, is waited for in another way.
    ///
    /// # Errors
    /// The system's.
    pub fn reregister(
        &self,
        socket: &mut impl Source,
        key: usize,
        interest: Interest,
    ) -> Result<(), Failure> {
        let done = self.poll.registry().reregister(socket, Token(key), interest);
        done.map_err(|error| Failure::cannot_poll(&error))
    }

    /// Waits until something is there, or it is `until`.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self, until: Option<Instant>) -> Result<Woken, Failure> {
        self.wait_for_events(until).map_err(|error| Failure::cannot_poll(&error))?;
        let mut woken = Woken { at: Instant::now(), ready: Vec::new(), is_interrupted: false };
        for event in &self.events {
            match event.token() {
                ALARM => self.alarm.gone_off(),
                INTERRUPT => {
                    let interrupt = self.interrupt.as_mut();
                    woken.is_interrupted = interrupt.is_some_and(Interrupt::is_requested);
                }
                Token(key) => {
                    woken.ready.push(Ready { key, is_for_writing: is_for_writing(event) })
                }
            }
        }
        Ok(woken)
    }

    fn wait_for_events(&mut self, until: Option<Instant>) -> io::Result<()> {
        let is_to_come = self.alarm.set(self.poll.registry(), until)?;
        let timeout = if is_to_come { None } else { Some(Duration::ZERO) };
        match self.poll.poll(&mut self.events, timeout) {
            // Ctrl-Z and fg: what came meanwhile is there.
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.poll.poll(&mut self.events, Some(Duration::ZERO))
            }
            polled => polled,
        }
    }
}

fn is_for_writing(event: &Event) -> bool {
    !(event.is_readable() || event.is_read_closed() || event.is_error())
}

/// The first of two times, of which there may be none.
#[must_use]
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
