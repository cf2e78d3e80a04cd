//! What the event loops of one server share.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use common::inquiry;
use common::protocol::UDP_REPLY;
use common::server::goal::Goal;
use common::server::peer::Peer;
use common::server::reply::Reply;
use common::server::rest::Throttle;
use common::server::totals::Counter;
use log::Level;

use crate::cli::Options;
use crate::dscp::Dscp;
use crate::events;
use crate::guard::{Cause, Guard};
use crate::seen::Seen;
use crate::totals::Totals;

/// What the event loops of one server share.
#[derive(Debug)]
pub struct Shared {
    pub totals: Totals,
    pub goal: Goal,
    reply: Reply,
    /// Counts the replies, for `--witness`.
    replies: Counter,
    /// From which ports datagrams came, for `--witness`.
    seen: Mutex<Seen>,
    guard: Guard,
    /// Whether there is a `--rate`.
    is_limited: bool,
    /// How often each cause for not answering is worth a warning.
    warnings: Mutex<[Throttle; Cause::COUNT]>,
}

impl Shared {
    /// What `loops` event loops share.
    pub fn new(options: &Options, loops: usize) -> Self {
        let reply = Reply::new(&options.reply, options.service.witness);
        let now = Instant::now();
        let goal = options.service.goal(loops, now);
        // An inquiry is about what came before: it would be counted in the place of what is lost.
        let goal = if reply.text().is_none() { goal.except(inquiry::is_one) } else { goal };
        Self {
            totals: Totals::default(),
            goal,
            replies: Counter::default(),
            seen: Mutex::new(Seen::new(now)),
            guard: Guard::new(reply.clone(), options.allow_low_ports, options.rate),
            reply,
            is_limited: options.rate > 0,
            warnings: Mutex::default(),
        }
    }

    /// The length of the longest reply, if it is longer than the tutorial's and no
    /// `--rate` limits how many are sent.
    pub fn amplifying_reply(&self) -> Option<usize> {
        let longest = self.reply.longest();
        (longest > UDP_REPLY.len() && !self.is_limited).then_some(longest)
    }

    /// The reply to `message`, which came with this `dscp`, unless the guard objects or `--count` is
    /// reached. This is counted and printed.
    pub fn reply_to(
        &self,
        peer: &Peer,
        message: &[u8],
        dscp: Dscp,
        now: Instant,
    ) -> Option<Cow<'_, [u8]>> {
        if let Some(cause) = self.guard.objection(peer, message, now) {
            let is_news = self.is_worth_a_warning(cause, now);
            self.totals.dropped(cause).add(1);
            events::dropped(if is_news { Level::Warn } else { Level::Debug }, peer, cause);
            self.note_withheld(peer, now);
            return None;
        }
        if self.goal.is_reached(0) {
            self.totals.unanswered.add(1);
            events::left_unanswered(peer);
            self.note_withheld(peer, now);
            return None;
        }
        Some(match self.reply.text() {
            Some(text) => text.into(),
            None => self.testimony(peer, message, dscp, now).into(),
        })
    }

    /// What a witness answers: what came of what `peer` asks about, or what it sees of `peer`.
    #[inline(never)] // Not in the way of those without `--witness`.
    fn testimony(&self, peer: &Peer, message: &[u8], dscp: Dscp, now: Instant) -> Vec<u8> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !inquiry::is_one(message) {
            seen.note(peer.address(), false, now);
            drop(seen);
            return self.reply.to_one(peer, self.replies.next(), dscp.known());
        }
        let host = self.reply.host().unwrap_or_default();
        let known = |question| seen.of(peer.address(), question, now);
        inquiry::answer(host, peer.text().as_str(), seen.since_ms(now), message, known)
    }

    /// Notes, for `--witness`, that a datagram from `peer` came that is not answered.
    #[inline(never)]
    fn note_withheld(&self, peer: &Peer, now: Instant) {
        if self.reply.text().is_none() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.note(peer.address(), true, now);
        }
    }

    /// Whether no warning of `cause` was printed for a while.
    fn is_worth_a_warning(&self, cause: Cause, now: Instant) -> bool {
        // Nothing panics while it holds the lock, so a poisoned lock guards sound data.
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings[cause as usize].may_pass(now)
    }
}
