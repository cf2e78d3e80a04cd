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
    /// Those of each event loop.
    pub totals: Box<[Arc<Totals>]>,
    pub goal: Goal,
    /// Counts the replies, for `--witness`.
    pub replies: Counter,
    pub sources: Arc<Sources>,
    pub reply: Reply,
    pub terms: Terms,
    /// How many connections all loops together may hold.
    pub most_connections: usize,
}

impl Shared {
    /// What `loops` event loops with `listeners` listeners in all share. The listeners count
    /// because they take descriptors that connections cannot have.
    pub fn new(options: &Options, loops: usize, listeners: usize) -> Self {
        Self {
            totals: (0..loops).map(|_| Arc::default()).collect(),
            goal: options.service.goal(loops, Instant::now()),
            replies: Counter::default(),
            sources: Sources::new(options.max_per_source()),
            reply: Reply::new(&options.reply, options.service.witness),
            terms: Terms {
                read_timeout: options.read_timeout,
                linger: options.linger,
                conversation: options.conversation,
            },
            most_connections: options.max_connections(listeners),
        }
    }

    /// Whether a connection of one event loop may take the place that one of another waits for: the
    /// connections of a source are spread over all of them.
    pub fn places_are_shared(&self) -> bool {
        self.totals.len() > 1 && self.sources.most() > 0
    }

    /// What all event loops together have done.
    pub fn all_totals(&self) -> Totals {
        Totals::sum(self.totals.iter().map(AsRef::as_ref))
    }
}
