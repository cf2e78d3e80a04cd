//! Where the way of a probe ends, hop after hop: as traceroute(8), but for the very flow that the
//! probe took, and without privileges.
//!
//! What is sent with a hop limit of 1 dies at the first router, which says so (time exceeded: RFC
//! 792; RFC 4443, section 3.3), and so on, until the target answers or nobody does. This is pure
//! policy, without a clock and without sockets: the clients send, and report what came.

pub mod path;

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::Error as Errno;

use crate::probe::outcome::icmp::IcmpError;
use path::{End, Hop, Path};

/// How often a hop is asked. Routers send few ICMP errors (Linux: one a second to one peer, after
/// a burst of six), so the silence of one hop is not its death.
const MOST_TRIES: u32 = 2;

/// After so many silent hops in a row nobody is asked any more: whatever is behind them does not
/// answer, or nothing gets there.
const MOST_SILENT: usize = 3;

/// How many hops are asked at most, as by traceroute(8). Ways through the Internet have fewer.
const MOST_HOPS: usize = 30;

/// How long a hop has to answer before any hop has: the round trip by satellite, and some queue.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How much longer than the slowest answer so far a hop may take. The next one is farther away, and
/// routers answer when they have nothing better to do.
const SLOWER: u32 = 3;

/// No hop has less time than this, however fast the others were.
const SHORTEST_WAIT: Duration = Duration::from_millis(300);

/// How long everything takes at most. Thirty hops that answer take a few seconds; whoever reads the
/// trace is waiting for it.
pub const LONGEST: Duration = Duration::from_secs(15);

/// How often something is sent again because it was too large for a link: each narrower link on
/// the way may take one more attempt. The kernel then knows what fits.
const MOST_RESENDS: u32 = 4;

/// The asking of one hop after another.
#[derive(Debug)]
pub struct Trace {
    path: Path,
    answers: Answers,
    /// How much of what was sent has no answer yet.
    unanswered: u32,
    /// Whether something has come that would be the end, if it came again.
    is_claimed: bool,
    /// How often the present hop was asked.
    tries: u32,
    /// When it was asked last; none if it is to be asked now.
    asked: Option<Instant>,
    /// When it was asked first.
    first_asked: Instant,
    resends: u32,
    /// The longest that an answer took.
    slowest: Option<Duration>,
    ends_at: Instant,
    is_over: bool,
}

/// What is known of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It belongs to what was sent last.
    Matched,
    /// It may belong to anything that was sent before (UDP): to an earlier asking or, if the probe
    /// ended in silence, to the probe.
    Unmatched {
        /// Whether the probe ended so. Then only the answer to a second asking counts as the end.
        is_probe_silent: bool,
    },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send once more, with this hop limit.
    Ask(u8),
    /// Wait for an answer, until this time.
    Wait(Instant),
    /// Nothing more.
    Nothing,
}

impl Trace {
    /// The way from `local` to `address`, of which nothing is known. It is asked for from `start`
    /// on, and until `end` at the latest.
    #[must_use]
    pub fn new(
        local: SocketAddr,
        address: SocketAddr,
        start: Instant,
        end: Option<Instant>,
        answers: Answers,
    ) -> Self {
        let longest = start + LONGEST;
        Self {
            path: Path::new(local, address),
            answers,
            unanswered: 0,
            is_claimed: false,
            tries: 0,
            asked: None,
            first_asked: start,
            resends: MOST_RESENDS,
            slowest: None,
            ends_at: end.map_or(longest, |end| end.min(longest)),
            is_over: false,
        }
    }

    /// What is to be done at `now`. What was not answered in time is silent.
    pub fn next(&mut self, now: Instant) -> Next {
        if !self.is_over && self.ends_at <= now {
            self.end_at(End::OutOfTime, Hop::SILENT);
        }
        match self.waits_until() {
            _ if self.is_over => return Next::Nothing,
            Some(until) if now < until => return Next::Wait(until),
            Some(_) => self.silent(),
            None => {}
        }
        if self.is_over { Next::Nothing } else { Next::Ask(self.hop()) }
    }

    /// Until when the present hop has time to answer.
    fn waits_until(&self) -> Option<Instant> {
        let wait = self.slowest.map_or(FIRST_WAIT, |slowest| {
            slowest.saturating_mul(SLOWER).clamp(SHORTEST_WAIT, FIRST_WAIT)
        });
        self.asked.map(|asked| (asked + wait).min(self.ends_at))
    }

    /// The hop that is asked, from 1.
    fn hop(&self) -> u8 {
        u8::try_from(self.path.hops.len() + 1).unwrap_or(u8::MAX)
    }

    /// Notes that the hop was asked at `now`, from `local`.
    pub fn asked(&mut self, local: SocketAddr, now: Instant) {
        self.path.local = local;
        self.asked = Some(now);
        self.first_asked = if self.tries == 0 { now } else { self.first_asked };
        self.tries += 1;
        self.unanswered += 1;
    }

    /// Notes that nobody answered.
    fn silent(&mut self) {
        self.asked = None;
        if self.tries >= MOST_TRIES {
            self.pass(Hop::SILENT);
            let silent = self.path.hops.iter().rev().take_while(|hop| hop.is_silent);
            if silent.count() >= MOST_SILENT {
                self.end(End::Silent);
            }
        }
    }

    /// Goes on to the next hop, if there may be one.
    fn pass(&mut self, hop: Hop) {
        (self.is_claimed, self.asked, self.tries) = (false, None, 0);
        self.path.hops.push(hop);
        if self.path.hops.len() >= MOST_HOPS {
            self.end(End::TooFar);
        }
    }

    /// Notes that `error` came at `now` for what was sent.
    pub fn icmp(&mut self, error: IcmpError, now: Instant) {
        let Some(hop) = self.answer(error.router, now) else {
            return;
        };
        let (own, target) = (self.path.local.ip(), self.path.address.ip());
        if error.is_hop_limit() && self.is_repeated(error.router) {
            // The present hop still has to answer.
        } else if error.is_hop_limit() {
            self.pass(hop);
        } else if error.is_too_large() && self.resends > 0 {
            self.resends -= 1;
            (self.asked, self.tries) = (None, 0);
        } else if error.router == Some(own) && own != target {
            // A neighbour that does not answer: RFC 1122, section 2.3.2.2.
            self.end(End::Failed(Errno::EHOSTUNREACH));
        } else if error.router == Some(target) && error.is_port_unreachable() {
            self.claim(End::Reached, hop);
        } else {
            self.claim(End::Stopped(error), hop);
        }
    }

    /// Notes that the target itself answered at `now`.
    pub fn reached(&mut self, now: Instant) {
        if let Some(hop) = self.answer(Some(self.path.address.ip()), now) {
            self.claim(End::Reached, hop);
        }
    }

    /// What `router` said at `now`, if anybody was asked.
    fn answer(&mut self, router: Option<IpAddr>, now: Instant) -> Option<Hop> {
        self.unanswered = self.unanswered.saturating_sub(1);
        let asked = self.asked.filter(|_| !self.is_over)?;
        self.slowest = self.slowest.max(Some(now.saturating_duration_since(self.first_asked)));
        // If nobody knows which asking was answered, nobody knows how long that took.
        let is_known = self.answers == Answers::Matched || self.tries == 1;
        let time = is_known.then(|| now.saturating_duration_since(asked));
        Some(Hop { router, time, is_silent: false })
    }

    /// Whether `router` has only answered again: it was the last hop, and that had been asked twice.
    fn is_repeated(&self, router: Option<IpAddr>) -> bool {
        let may_be = self.answers != Answers::Matched && self.unanswered > 0;
        may_be && self.is_last(router)
    }

    /// Whether `router` is the last hop so far.
    fn is_last(&self, router: Option<IpAddr>) -> bool {
        router.is_some() && self.path.hops.last().is_some_and(|hop| hop.router == router)
    }

    /// Ends the way with what `hop` said; or asks the same hop once more, if that may have been
    /// said of something sent before. If it does not come again, the hop is taken for silent.
    fn claim(&mut self, end: End, hop: Hop) {
        let is_repeated = mem::replace(&mut self.is_claimed, true);
        self.asked = None;
        if is_repeated || self.answers != (Answers::Unmatched { is_probe_silent: true }) {
            self.end_at(end, hop);
        }
    }

    /// Ends the way at `hop`, if it was asked.
    fn end_at(&mut self, end: End, hop: Hop) {
        // Who rejects what is to go on has said before that the limit was used up there.
        let is_same = matches!(end, End::Stopped(_)) && self.is_last(hop.router);
        if self.tries > 0 && !is_same {
            self.path.hops.push(hop);
        }
        self.end(end);
    }

    fn end(&mut self, end: End) {
        (self.path.end, self.is_over) = (end, true);
    }

    /// Notes that nothing more can be sent, because of `error`.
    pub fn fail(&mut self, error: &io::Error) {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EOPNOTSUPP as i32));
        self.end(End::Failed(errno));
    }

    /// Notes that the port of the probe cannot be used: another one has to do.
    pub fn leave_port(&mut self) {
        self.path.is_other_port = true;
    }

    /// What is known of the way now. If there was more to ask, the time was up.
    #[must_use]
    pub fn into_path(mut self) -> Path {
        if !self.is_over {
            self.end_at(End::OutOfTime, Hop::SILENT);
        }
        self.path
    }
}

#[cfg(test)]
#[path = "trace/scenarios.rs"]
mod scenarios;
