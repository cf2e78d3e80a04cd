//! What the event loops of one server share.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use common::protocol::UDP_REPLY;
use common::server::goal::Goal;
use common::server::peer::Peer;
use common::server::reply::Reply;
use common::server::rest::Throttle;
use common::server::totals::Counter;
use log::Level;

use crate::cli::Options;
use crate::events;
use crate::guard::{Cause, Guard};
use crate::totals::Totals;

/// What the event loops of one server share.
#[derive(Debug)]
pub struct Shared {
    pub totals: Totals,
    pub goal: Goal,
    reply: Reply,
    /// Counts the replies, for `--witness`.
    replies: Counter,
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
        Self {
            totals: Totals::default(),
            goal: options.service.goal(loops, Instant::now()),
            replies: Counter::default(),
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

    /// The reply to `message`, unless the guard objects or `--count` is reached. This is counted
    /// and printed.
    pub fn reply_to(&self, peer: &Peer, message: &[u8], now: Instant) -> Option<Cow<'_, [u8]>> {
        if let Some(cause) = self.guard.objection(peer, message, now) {
            let is_news = self.is_worth_a_warning(cause, now);
            self.totals.dropped(cause).add(1);
            events::dropped(if is_news { Level::Warn } else { Level::Debug }, peer, cause);
            return None;
        }
        if self.goal.is_reached(0) {
            self.totals.unanswered.add(1);
            events::left_unanswered(peer);
            return None;
        }
        Some(self.reply.to(peer, || self.replies.next()))
    }

    /// Whether no warning of `cause` was printed for a while.
    fn is_worth_a_warning(&self, cause: Cause, now: Instant) -> bool {
        // Nothing panics while it holds the lock, so a poisoned lock guards sound data.
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings[cause as usize].may_pass(now)
    }
}
