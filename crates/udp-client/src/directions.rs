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
pub const MOST_LOSSY: usize = 8 * LOSSY_EACH;

/// By how much two clocks may differ that nobody sets: a thousandth is twice what adjtimex(2) allows.
const DRIFT: u32 = 1000;

/// A source port, and what came of its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub port: u16,
    pub account: Account,
}

/// An inquiry about some ports.
#[derive(Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Those that have lost probes come first.
    senders: Vec<Sender>,
    lossy: usize,
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

/// The inquiries that tell of each of `lost` probes in which direction it was lost. `senders` has all
/// ports of the run, or fewer: there are none then. None either if it cannot be told.
///
/// Each inquiry has ports whose probes were answered: a server that does not know of them is another
/// one, although it may have the same name.
pub fn inquiries(senders: &[Sender], lost: u64) -> Vec<Inquiry> {
    let is_lossy = |sender: &&Sender| sender.account.lost > 0;
    let lossy: Vec<_> = senders.iter().filter(is_lossy).copied().collect();
    let is_complete = lossy.iter().map(|sender| sender.account.lost).sum::<u64>() == lost;
    let is_clear = lossy.iter().all(|sender| sender.account.is_clear());
    if !is_complete || !is_clear || lossy.len() > MOST_LOSSY {
        return Vec::new();
    }
    let is_answered = |sender: &&Sender| sender.account.answered > 0 && sender.account.is_clear();
    let known: Vec<_> = senders.iter().filter(is_answered).take(MOST_KNOWN).copied().collect();
    if known.is_empty() {
        return Vec::new();
    }
    let of = |lossy: &[Sender]| {
        let known = known.iter().filter(|known| !lossy.contains(known));
        let senders = lossy.iter().chain(known).copied().collect();
        Inquiry { senders, lossy: lossy.len() }
    };
    lossy.chunks(LOSSY_EACH).map(of).collect()
}

impl Inquiry {
    /// The datagram to send at `at` from `own` to a witness with the name `host`. It asks about as
    /// much more time as an answer may take: perhaps the inquiry is slower than the probes were.
    pub fn bytes(&self, asked: &Asked<'_>) -> Vec<u8> {
        let question = |sender: &Sender| Question {
            port: sender.port,
            within_ms: millis(sender.age(asked.at) + asked.patience),
        };
        let questions: Vec<_> = self.senders.iter().map(question).collect();
        inquiry::write(&questions, asked.host, asked.own)
    }

    /// What follows from `answer`, if anything is certain.
    pub fn conclude(&self, answer: &Answer<'_>, asked: &Asked<'_>) -> Option<Directions> {
        let Asked { host, own, at, answered_at, patience } = *asked;
        let is_own = (answer.peer.ip(), answer.peer.port()) == (own.ip(), own.port());
        let is_in_time = answered_at <= at + patience;
        if answer.host != host || !is_own || !is_in_time {
            return None;
        }
        self.senders.iter().enumerate().try_fold(Directions::default(), |sum, (n, sender)| {
            let Seen { count, oldest_ms } = answer.of(sender.port)?;
            let Account { sent, answered, .. } = sender.account;
            // What came longer ago than the first probe was sent is somebody else's.
            let longest_ago = millis(sender.age(answered_at));
            let is_known = count == sent || answer.since_ms > longest_ago;
            let is_ours = oldest_ms <= longest_ago;
            // More than were sent are copies; fewer than were answered, another server.
            let is_possible = (answered..=sent).contains(&count);
            (is_known && is_ours && is_possible).then_some(())?;
            // Of the others, another inquiry tells.
            let is_counted = n < self.lossy;
            let lost = Directions { there: sent - count, back: count - answered };
            Some(if is_counted { sum + lost } else { sum })
        })
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
