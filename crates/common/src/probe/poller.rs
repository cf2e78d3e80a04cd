//! How a client's loop waits: for a socket that is ready, a time, or a signal.

mod alarm;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use nix::sys::signal::Signal;
use socket2::Socket;

use crate::descriptors;
use crate::exit::Failure;
use crate::probe::arrival;
use crate::probe::interrupt;
use crate::probe::plan::MOST_SOCKETS;
use alarm::Alarm;

/// Descriptors that are not for probes: the three standard ones, that of the signals, those of
/// the poller and of the resolver, the socket that asks for a route, and some to spare.
const OTHER_DESCRIPTORS: usize = 24;

/// Descriptors without which a client cannot do its work, beyond those that it has from the start:
/// epoll's, the timer's, that of the stamps; two addresses of a name under way, and the socket
/// that asks for a route; while a name is resolved, a pipe's two, and some four of the C library's.
const LEAST_DESCRIPTORS: usize = 12;

/// How many events one wait returns at most. The others are returned by the next one.
const MOST_EVENTS: usize = 1024;

const ALARM: Token = Token(usize::MAX);
const INTERRUPT: Token = Token(usize::MAX - 1);
const OUTPUT: Token = Token(usize::MAX - 2);

/// The key of the socket by which a probe is examined. No other socket has it.
pub const EXAMINATION: usize = usize::MAX - 3;

/// Waits for sockets, a time and signals.
#[derive(Debug)]
pub struct Poller {
    poll: Poll,
    events: Events,
    /// The sockets that were ready, and that nobody has asked for. One queue for all waits, so
    /// that a wait allocates nothing.
    ready: VecDeque<Ready>,
    most_sockets: usize,
    alarm: Alarm,
    watch: Watch,
    _stamping: Option<Socket>,
}

/// What a loop waits for at standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nothing: it has taken all lines.
    Nothing,
    /// The end of its reader. A run without an end may have nothing to write for hours, and would
    /// not know that nobody is there any more.
    Reader,
    /// Room for the lines that wait; or the end of its reader.
    Room,
}

impl Watch {
    fn interest(self) -> Option<Interest> {
        match self {
            Self::Nothing => None,
            // Errors are always announced (epoll_ctl(2)), and a pipe has nothing of priority.
            Self::Reader => Some(Interest::PRIORITY),
            Self::Room => Some(Interest::WRITABLE),
        }
    }
}

/// Why a wait has ended.
#[derive(Debug)]
pub struct Woken {
    /// When the wait ended.
    pub at: Instant,
    /// How many sockets are ready: see [`Poller::next_ready`].
    pub ready: usize,
    /// The signal that has come, if one has.
    pub signal: Option<Signal>,
}

/// A socket that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The number under which the socket was registered: its token.
    pub key: usize,
    /// Whether the socket is ready for writing alone, so that there is nothing to receive.
    pub is_for_writing: bool,
    /// Whether the peer has ended its side in order, so that all it had to say is here.
    pub has_ended: bool,
}

impl Poller {
    /// A poller that waits for nothing yet.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> Result<Self, Failure> {
        descriptors::raise_limit();
        let too_few = |why| Failure::local("descriptors", why);
        descriptors::check(LEAST_DESCRIPTORS).map_err(too_few)?;
        let left = descriptors::limit().saturating_sub(OTHER_DESCRIPTORS);
        let most_sockets = left.clamp(1, MOST_SOCKETS);
        let failed = |error: io::Error| Failure::cannot_poll(&error);
        let poll = Poll::new().map_err(failed)?;
        interrupt::register(poll.registry(), INTERRUPT).map_err(failed)?;
        let (events, alarm) = (Events::with_capacity(MOST_EVENTS), Alarm::new(ALARM));
        let (watch, _stamping) = (Watch::Nothing, arrival::keep_stamping());
        let ready = VecDeque::new();
        Ok(Self { poll, events, ready, most_sockets, alarm, watch, _stamping })
    }

    /// How many sockets may be open at once. Probes that need more are sent later.
    #[must_use]
    pub fn most_sockets(&self) -> usize {
        self.most_sockets
    }

    /// Watches standard output for that. A file always has room, and cannot be watched.
    pub fn watch_output(&mut self, watch: Watch) {
        if watch == self.watch {
            return;
        }
        let fd = io::stdout().as_fd().as_raw_fd();
        let mut output = SourceFd(&fd);
        let _ = match (self.watch, watch.interest()) {
            (Watch::Nothing, Some(interest)) => {
                self.registry().register(&mut output, OUTPUT, interest)
            }
            (_, Some(interest)) => self.registry().reregister(&mut output, OUTPUT, interest),
            (_, None) => self.registry().deregister(&mut output),
        };
        self.watch = watch;
    }

    /// The registry of the sockets to wait for.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Registers `socket` again, with `key` as its token. A socket that is ready already is
    /// then announced again (epoll(7), edge-triggered).
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

    /// Waits until a socket is ready or a signal comes, and no longer than `until`.
    ///
    /// # Errors
    /// The system's; or nobody reads standard output any more, if that is watched.
    pub fn wait(&mut self, until: Option<Instant>) -> Result<Woken, Failure> {
        let mut signal = interrupt::postponed();
        let until = if signal.is_some() { Some(Instant::now()) } else { until };
        self.wait_for_events(until).map_err(|error| Failure::cannot_poll(&error))?;
        let at = Instant::now();
        self.ready.clear();
        for event in &self.events {
            match event.token() {
                ALARM => self.alarm.gone_off(),
                // The loop writes whenever it is woken.
                OUTPUT if event.is_error() || event.is_write_closed() => {
                    return Err(Failure::unwritten(&ErrorKind::BrokenPipe.into()));
                }
                OUTPUT => {}
                INTERRUPT => signal = interrupt::take().or(signal),
                Token(key) => {
                    let (is_for_writing, has_ended) = (is_for_writing(event), has_ended(event));
                    self.ready.push_back(Ready { key, is_for_writing, has_ended });
                }
            }
        }
        Ok(Woken { at, ready: self.ready.len(), signal })
    }

    /// The next socket that was ready when the last wait ended.
    pub fn next_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    fn wait_for_events(&mut self, until: Option<Instant>) -> io::Result<()> {
        let timeout = self.alarm.arm(self.poll.registry(), until);
        match self.poll.poll(&mut self.events, timeout) {
            // Ctrl-Z and fg interrupt the call. Events that came meanwhile are found at once.
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

/// After a reset, both sides are closed.
fn has_ended(event: &Event) -> bool {
    event.is_read_closed() && !event.is_write_closed() && !event.is_error()
}

/// The earlier of two times, either of which may be missing.
#[must_use]
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
