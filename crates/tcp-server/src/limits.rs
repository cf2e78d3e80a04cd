//! Every limit of this server, each with its reason.

use std::time::Duration;

use common::descriptors;

/// Connections that the kernel queues for one listener. It caps the number at
/// `net.core.somaxconn`, 4096 on today's Linux; a client beyond it waits for
/// its SYN to be sent again, a second later.
pub const BACKLOG: i32 = 4096;

/// Events taken from the kernel at once: enough to spread the cost of the
/// call, and small enough that a signal never waits long.
pub const EVENTS_PER_TURN: usize = 1024;

/// Connections accepted from one listener before others get their turn.
pub const ACCEPTS_PER_TURN: usize = 64;

/// How long a newcomer may wait for a place: long enough to hear that those
/// who left before it came are gone, although segments overtake each other and
/// another event loop had their places.
pub const UNDECIDED: Duration = Duration::from_millis(50);

/// Newcomers that wait for a place in one event loop: fewer than
/// [`OTHER_DESCRIPTORS`], for they are no connections yet.
pub const MOST_UNDECIDED: usize = 16;

/// Steps of one connection (a system call each, or two) before others get
/// their turn: a peer that sends without end slows nobody.
pub const STEPS_PER_TURN: usize = 16;

/// What one call discards at most of what a peer sends after its message.
pub const DISCARD_SIZE: usize = 64 * 1024;

/// How long a connection may say nothing, unless `--read-timeout` says so.
pub const READ_TIMEOUT: &str = "60s";

/// How long a peer may take, from its message on, to take the reply and
/// close, unless `--linger` says so. Closing before it has would reset the
/// connection, and the reply be lost (RFC 1122, section 4.2.2.13).
pub const LINGER: &str = "2s";

/// Descriptors that are not for connections: the standard ones, a listener's,
/// an event loop's and its newcomers', and what libraries may need for a
/// moment.
const OTHER_DESCRIPTORS: usize = 32;

/// Those of a further event loop: its own, its waker's and its newcomers'.
const LOOP_DESCRIPTORS: usize = 2 + MOST_UNDECIDED;

/// How long a stop waits for the connections whose reply is under way.
pub const DRAIN: Duration = Duration::from_secs(2);

/// How long a stop waits for a peer that has its reply to close: some round
/// trips. Those who send without end would otherwise hold it up for all of
/// [`DRAIN`].
pub const LAST_LINGER: Duration = Duration::from_millis(500);

/// Connections accepted from one listener at a stop: as many as may be queued,
/// and so few that a flood does not hold up the end.
pub const LAST_ACCEPTS: usize = BACKLOG as usize;

/// A limit that a newcomer meets.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// There are as many connections as there may be in its event loop, whose
    /// `share` of all `most` that is.
    Connections { most: usize, share: usize },
    /// Its source has as many as it may have.
    PerSource { most: usize },
}

/// How many connections the limit of open descriptors has room for, besides
/// so many loops and all their listeners.
pub fn max_connections(workers: usize, listeners: usize) -> usize {
    let further = LOOP_DESCRIPTORS * workers.saturating_sub(1) + listeners.saturating_sub(1);
    descriptors::limit().saturating_sub(OTHER_DESCRIPTORS + further).max(workers)
}
