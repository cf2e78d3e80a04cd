//! What the event loops of one server share.

use std::sync::{Arc, Mutex, PoisonError};
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
    pub fn new(options: &Options) -> Self {
        let reply = Reply::new(&options.reply, options.service.witness);
        Self {
            totals: Totals::default(),
            goal: options.service.goal(Instant::now()),
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

    /// Whether `--count` is reached, or will be once `unsent` replies are sent.
    pub fn has_enough(&self, unsent: usize) -> bool {
        self.goal.is_reached(self.totals.exchanges.get() + unsent as u64)
    }

    /// The reply to `message`, unless the guard objects. An objection is counted and
    /// printed.
    pub fn reply_to(&self, peer: &Peer, message: &[u8], now: Instant) -> Option<Arc<[u8]>> {
        let Some(cause) = self.guard.objection(peer, message, now) else {
            return Some(self.reply.to(peer, self.replies.next()));
        };
        self.totals.dropped(cause).add(1);
        let level = if self.is_worth_a_warning(cause, now) { Level::Warn } else { Level::Debug };
        events::dropped(level, peer, cause);
        None
    }

    /// Whether no warning of `cause` was printed for a while.
    fn is_worth_a_warning(&self, cause: Cause, now: Instant) -> bool {
        // Nothing panics while it holds the lock, so a poisoned lock guards sound data.
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings[cause as usize].may_pass(now)
    }
}
