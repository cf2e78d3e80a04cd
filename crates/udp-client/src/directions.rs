//! In which direction probes were lost: what a witness is asked at the end of a run, and what
//! follows from its answer.
//!
//! It is pure: no clock, no socket. Whatever is not certain has no conclusion. So the answer has to
//! come from the host that has answered the run, from a server that has been there all the time, and
//! by a way that translates nothing; and it has to know of a port whose probes were answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::inquiry::{self, Answer, MOST_PORTS, Question, Seen};
use common::probe::ledger::directions::Directions;

use crate::account::Account;

/// How many ports whose probes were answered are in each inquiry, at most: if servers with the same
/// name take turns, all of these ports lead to one of them once in 256 runs.
const MOST_KNOWN: usize = 8;

/// How many ports that have lost probes are in an inquiry, at most.
const LOSSY_EACH: usize = MOST_PORTS - MOST_KNOWN;

/// About how many ports that have lost probes a run asks, at most: with 8 inquiries. If there are
/// more, the loss is so great that its direction is found by other means.
const MOST_LOSSY: usize = 8 * LOSSY_EACH;

/// By how much two clocks may differ that nobody sets: a thousandth is twice what adjtimex(2) allows.
const DRIFT: u32 = 1000;

/// A source port, and what came of its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub port: u16,
    pub account: Account,
}

/// The ports that a witness is asked about.
#[derive(Debug, Default)]
pub struct Ports {
    /// Those that have lost probes.
    lossy: Vec<Sender>,
    /// Some whose probes were all answered: a server that does not know of them is another one,
    /// although it may have the same name.
    known: Vec<Sender>,
}

/// An inquiry about some of them.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    lossy: &'a [Sender],
    known: &'a [Sender],
}

/// When an inquiry was sent, and from which address; when it was answered; and by which host it has
/// to be.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub host: &'a str,
    pub own: SocketAddr,
    pub at: Instant,
    pub answered_at: Instant,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Ports {
    /// The ports to ask about, to know of each of `lost` probes in which direction it was lost.
    /// `senders` has all ports of the run that are still open. None if it cannot be known: so it is if
    /// a port was closed that had lost some.
    pub fn of(senders: impl Iterator<Item = Sender>, lost: u64) -> Option<Self> {
        let (mut ports, mut left) = (Self::default(), lost);
        for sender in senders {
            let Account { answered, lost, .. } = sender.account;
            let is_clear = sender.account.is_clear();
            if lost > 0 {
                left = left.checked_sub(lost).filter(|_| is_clear)?;
                ports.lossy.push(sender);
            } else if answered > 0 && is_clear && ports.known.len() < MOST_KNOWN {
                ports.known.push(sender);
            }
        }
        (left == 0 && ports.lossy.len() <= MOST_LOSSY).then_some(ports)
    }

    /// The inquiries about them.
    pub fn inquiries(&self) -> impl Iterator<Item = Inquiry<'_>> {
        self.lossy.chunks(LOSSY_EACH).map(|lossy| Inquiry { lossy, known: &self.known })
    }
}

impl Inquiry<'_> {
    fn senders(&self) -> impl Iterator<Item = &Sender> {
        self.lossy.iter().chain(self.known)
    }

    /// The datagram to send, as it is `asked`. It asks about as much more time as an answer may take:
    /// perhaps the inquiry is slower than the probes were.
    pub fn bytes(&self, asked: &Asked<'_>) -> Vec<u8> {
        let questions = self.senders().map(|sender| Question {
            port: sender.port,
            within_ms: millis(sender.age(asked.at) + asked.patience),
        });
        inquiry::write(questions, asked.host, asked.own)
    }

    /// What follows from `answer`, if anything is certain.
    pub fn conclude(&self, answer: &Answer<'_>, asked: &Asked<'_>) -> Option<Directions> {
        let Asked { host, own, at, answered_at, patience } = *asked;
        let is_own = (answer.peer.ip(), answer.peer.port()) == (own.ip(), own.port());
        let is_in_time = answered_at <= at + patience;
        // Without a port that it has to know, it may be another one.
        let mut is_certain = answer.host == host
            && is_own
            && is_in_time
            && self.senders().any(|sender| sender.account.answered > 0);
        let (mut there, mut back) = (0, 0);
        for sender in self.senders() {
            let Seen { count, oldest_ms } = answer.of(sender.port)?;
            let Account { sent, answered, .. } = sender.account;
            // What came longer ago than the first probe was sent is somebody else's.
            let longest_ago = millis(sender.age(answered_at));
            is_certain &= oldest_ms <= longest_ago;
            is_certain &= count == sent || answer.since_ms > longest_ago;
            // More than were sent are copies; fewer than were answered, another server.
            is_certain &= answered <= count && count <= sent;
            there += sent.saturating_sub(count);
            back += count.saturating_sub(answered);
        }
        is_certain.then_some(Directions { there, back })
    }
}

impl Sender {
    /// How long ago at `now` the first probe was sent, by any clock.
    fn age(&self, now: Instant) -> Duration {
        let age = self.account.first.map_or(Duration::ZERO, |first| now - first);
        age + age / DRIFT
    }
}

/// `time`, rounded up.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "directions/tests.rs"]
mod tests;
