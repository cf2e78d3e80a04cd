//! What the event loops of one server share.

use std::sync::Arc;
use std::time::Instant;

use common::server::goal::Goal;
use common::server::reply::Reply;
use common::server::totals::Counter;

use crate::cli::Options;
use crate::connection::Terms;
use crate::sources::Sources;
use crate::totals::Totals;

/// What the event loops of one server share.
#[derive(Debug)]
pub struct Shared {
    pub totals: Totals,
    pub goal: Goal,
    pub reply: Reply,
    /// Counts the replies, for `--witness`.
    pub replies: Counter,
    pub terms: Terms,
    pub sources: Arc<Sources>,
    /// How many connections all loops together may hold.
    pub most_connections: usize,
}

impl Shared {
    pub fn new(options: &Options, most_connections: usize) -> Self {
        Self {
            totals: Totals::default(),
            goal: options.service.goal(Instant::now()),
            reply: Reply::new(&options.reply, options.service.witness),
            replies: Counter::default(),
            terms: options.terms(),
            sources: Sources::new(options.max_per_source()),
            most_connections,
        }
    }
}
