//! The search for the largest segment that passes: each size is tried over a connection of its own
//! that has it as its maximum (`TCP_MAXSEG`, tcp(7)). This side announces that, too, so the peer's
//! segments are no larger either.
//!
//! On the way there, a try sends no more of the message than one segment, and ends with a reset: so
//! that no program takes it for the message. On the way back it sends the whole message, because
//! only a reply shows that one comes.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::probe::egress::Egress;
use common::probe::examination::Subject;
use common::probe::outcome::expected_reply::ExpectedReply;
use common::probe::outcome::suspicion::{Suspicion, Way};
use common::probe::outcome::trouble::Trouble;
use common::probe::verbose;
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::exchange::{Exchange, Request, Step as ExchangeStep};
use crate::segments::Search;
use crate::stream::{Connecting, Connection};

/// How long the search may take. Halving what lies between the smallest and an ordinary segment
/// takes ten tries, of which not all last as long as they may.
const LONGEST: Duration = Duration::from_secs(10);

/// How long a try may take at least, or this many round trips: so long that the segment was sent
/// again twice (Linux: after 200 ms and 400 ms more), and was not lost by chance.
const LEAST: Duration = Duration::from_millis(800);
const ROUND_TRIPS: u32 = 4;

/// How long to wait before looking at first whether a segment was acknowledged, where a round trip
/// is shorter. Each further wait is twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(2);

/// The search after a probe whose connection is closed.
#[derive(Debug)]
pub struct Searching<'m> {
    subject: Subject,
    suspicion: Suspicion,
    source: Option<SocketAddr>,
    egress: Rc<Egress>,
    request: Request<'m>,
    search: Search,
    /// What keeps others from the probe's port, whose way is traced after the search.
    _held: Option<Socket>,
    present: Option<Try<'m>>,
    end: Instant,
    /// How long a try may take, other than the one that all hangs on.
    longest: Duration,
    /// When there is something to do, even if nothing comes.
    next_at: Instant,
    /// Whether something has come.
    pub is_ready: bool,
}

/// One size that is tried.
#[derive(Debug)]
struct Try<'m> {
    size: u32,
    exchange: Exchange<'m, Connection>,
    begun: Instant,
    /// Whether the kernel has all that is sent.
    is_sent: bool,
    /// How long the loop waits before it looks again.
    pause: Duration,
}

/// What a try has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Vanished,
    /// It says nothing of the size: no connection, or one with another size.
    Unclear,
}

/// How it goes on.
#[derive(Debug)]
pub enum Step<'a> {
    /// When something comes, or later.
    Wait,
    /// When something comes to this socket, which is new.
    Asked(&'a mut TcpStream),
    /// All is known that can be.
    Done,
}

impl<'m> Searching<'m> {
    /// The search for what `subject` is suspected of, from `now` on, with the message of `request`.
    pub fn new(
        subject: &Subject,
        request: Request<'m>,
        source: Option<SocketAddr>,
        egress: Rc<Egress>,
        now: Instant,
    ) -> Option<Self> {
        let suspicion = subject.suspicion?;
        let latest = now + LONGEST;
        Some(Self {
            subject: *subject,
            suspicion,
            source,
            egress,
            request: Request { half_close: false, expected_reply: ExpectedReply::Any, ..request },
            search: Search::new(suspicion.size)?,
            _held: subject.is_traced.then(|| hold(subject.local).ok()).flatten(),
            present: None,
            end: subject.end.map_or(latest, |end| end.min(latest)),
            longest: LEAST.max(subject.round_trip.unwrap_or_default() * ROUND_TRIPS),
            next_at: now,
            is_ready: false,
        })
    }

    /// What is searched for, and after which probe.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// When there is something to do, even if nothing comes.
    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// What was found so far, if anything was.
    pub fn found(&self) -> Option<Trouble> {
        let found = self.search.found()?;
        Some(Trouble::segments_vanish(found.words(self.suspicion.way), found.passed))
    }

    /// Looks at what has come, and tries what is to be tried at `now`. What comes is received into
    /// `buffer`.
    pub fn go_on(&mut self, now: Instant, buffer: &mut [u8]) -> Step<'_> {
        if !mem::take(&mut self.is_ready) && now < self.next_at {
            return Step::Wait;
        }
        if let Some(mut present) = self.present.take() {
            let longest = self.longest();
            match present.look(self.suspicion.way, now, longest, buffer) {
                None if now < self.end => {
                    let latest = self.end.min(present.begun + longest);
                    self.next_at = latest.min(now + present.pause);
                    present.pause *= 2;
                    self.present = Some(present);
                    return Step::Wait;
                }
                None => self.search.end(),
                Some(outcome) => self.note(&present, outcome, now),
            }
        }
        match self.search.next().filter(|_| now < self.end) {
            Some(size) => self.begin(size, now),
            None => Step::Done,
        }
    }

    /// How long the present try may take. That the size vanishes which vanished at first has to be
    /// certain: so there it is sent again once more.
    fn longest(&self) -> Duration {
        if self.search.is_confirming() { self.longest * 2 } else { self.longest }
    }

    /// Notes what a try has come to.
    fn note(&mut self, present: &Try<'_>, outcome: Outcome, now: Instant) {
        let words = match outcome {
            Outcome::Passed => "passed",
            Outcome::Vanished => "vanished",
            Outcome::Unclear => "not known whether they pass",
        };
        verbose::say(format_args!("[*] Segments of {} bytes: {words}", present.size));
        match outcome {
            Outcome::Unclear => self.search.end(),
            _ => self.search.note(outcome == Outcome::Passed),
        }
        if outcome == Outcome::Passed {
            // A program that takes its time to answer has it at the other sizes, too.
            self.longest = self.longest.max((now - present.begun) * ROUND_TRIPS);
        }
    }

    /// Begins to try segments of `size` bytes.
    fn begin(&mut self, size: u32, now: Instant) -> Step<'_> {
        let most = size + self.suspicion.options;
        let peer = self.subject.address;
        let begun = Connection::with_segments(peer, self.source, most, &self.egress);
        let Ok(connection) = begun else {
            self.search.end();
            return Step::Done;
        };
        let message = match self.suspicion.way {
            Way::There => &self.request.message[..self.request.message.len().min(size as usize)],
            Way::Back => self.request.message,
        };
        let exchange = Exchange::new(connection, Request { message, ..self.request });
        self.next_at = self.end.min(now + self.longest());
        let (is_sent, pause) = (false, FIRST_LOOK);
        let present = self.present.insert(Try { size, exchange, begun: now, is_sent, pause });
        Step::Asked(present.exchange.stream_mut().source())
    }
}

/// A socket that is bound to `local`, and to which others that are, too, have to agree: so the system
/// gives the port to nobody.
fn hold(local: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&local.into())?;
    Ok(socket)
}

impl Try<'_> {
    /// Goes on as far as possible, and says what the try has come to, if that is known `now`.
    fn look(
        &mut self,
        way: Way,
        now: Instant,
        longest: Duration,
        buffer: &mut [u8],
    ) -> Option<Outcome> {
        let is_over = loop {
            match self.exchange.step(buffer) {
                ExchangeStep::Connected => {
                    if self.segment(way) != Some(self.size) {
                        return Some(Outcome::Unclear);
                    }
                    self.pause = self.pause.max(now - self.begun);
                }
                // A reply to what was sent: all of it has come.
                ExchangeStep::Received | ExchangeStep::Done(Ok(_)) => {
                    return Some(Outcome::Passed);
                }
                ExchangeStep::Sent => self.is_sent = true,
                ExchangeStep::Again => {}
                ExchangeStep::Wait => break false,
                ExchangeStep::Done(Err(_)) => break true,
            }
        };
        if way == Way::There && self.is_sent && self.is_acknowledged() {
            return Some(Outcome::Passed);
        }
        if is_over || (!self.is_sent && self.begun + longest <= now) {
            return Some(Outcome::Unclear);
        }
        (self.begun + longest <= now).then_some(Outcome::Vanished)
    }

    /// Whether all that was sent has come to the target's system.
    fn is_acknowledged(&mut self) -> bool {
        let figures = self.exchange.stream_mut().figures();
        figures.is_some_and(|it| it.unacknowledged == 0 && it.held_back.unwrap_or_default() == 0)
    }

    /// How many bytes of a message a segment has on this way; none if the system does not say.
    fn segment(&mut self, way: Way) -> Option<u32> {
        let figures = self.exchange.stream_mut().figures()?;
        Some(match way {
            Way::There => figures.segment,
            Way::Back => figures.peers_segment,
        })
    }
}
