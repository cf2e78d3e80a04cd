//! Every limit of this server, each with its reason.

use std::time::Duration;

use common::descriptors;

/// Connections that the kernel queues for one listener. The kernel caps the number at
/// `net.core.somaxconn`, which is 4096 on today's Linux. When the queue is full, a
/// client's SYN is dropped and sent again a second later.
pub const BACKLOG: i32 = 4096;

/// Events taken from the kernel at once: enough to spread the cost of the call, and few
/// enough that a signal never waits long.
pub const EVENTS_PER_TURN: usize = 1024;

/// Connections accepted from one listener before other sockets are served.
pub const ACCEPTS_PER_TURN: usize = 64;

/// How long a peer that has its reply is left alone, if peers are near, before it is tried whether
/// it has closed. On one network a peer closes in less.
pub const CLOSE_TIME: Duration = Duration::from_millis(5);

/// When it is tried at the latest, if nothing else wakes the loop up before. At one connection
/// a second the next one does. Nobody misses what the connection holds meanwhile: where its
/// descriptor or its place is needed, it is tried at once, and where another event loop may need
/// them, it is not left alone. But a peer that goes on to send more than the kernel keeps for it
/// has to wait for so long, once.
pub const LATEST_LOOK: Duration = Duration::from_secs(1);

/// How long a newcomer waits for a place: long enough to learn of connections that ended
/// before it came, although segments may overtake each other and another event loop may
/// have to free the place.
pub const NEWCOMER_WAIT: Duration = Duration::from_millis(50);

/// Newcomers that wait for a place in one event loop. They are not among the
/// connections, so their descriptors are among [`OTHER_DESCRIPTORS`].
pub const MOST_NEWCOMERS: usize = 16;

/// Steps of one connection before other sockets are served, so that a peer that
/// sends without end slows down nobody else. A step makes one system call at most.
pub const STEPS_PER_TURN: usize = 16;

/// The most bytes that one call discards of what a peer sends after its message: enough to spread
/// the cost of the call, and little to clear at the start.
pub const DISCARD_SIZE: usize = 16 * 1024;

/// The default of `--read-timeout`: how long a peer may send nothing.
pub const READ_TIMEOUT: &str = "60s";

/// The default of `--linger`: how long a peer may take, from its message on, to accept
/// the reply and to close. If the server closed first and data were unread, the
/// connection would be reset and the reply lost (RFC 1122, section 4.2.2.13).
pub const LINGER: &str = "2s";

/// Descriptors that are not for connections: the standard ones, a second one of standard
/// output, those of one listener, of one event loop and its newcomers, and some that libraries
/// may need for a moment.
const OTHER_DESCRIPTORS: usize = 32;

/// Descriptors of each further event loop: its own, its waker's and its newcomers'.
const LOOP_DESCRIPTORS: usize = 2 + MOST_NEWCOMERS;

/// The connections for which an event loop has a table from the start: more are seldom there at
/// once.
pub const USUAL: usize = 16 * 1024;

/// The bytes that a connection needs beside its slot: its peer in words, its deadline, its place
/// among those of its source, and what the allocator adds.
pub const BESIDE_SLOT: usize = 256;

/// How long a stop waits for connections whose reply is under way.
pub const DRAIN: Duration = Duration::from_secs(2);

/// How long a stop waits for a peer to close once the reply is sent: some round trips.
/// Otherwise a peer that sends without end would hold up the stop for all of [`DRAIN`].
pub const LAST_LINGER: Duration = Duration::from_millis(500);

/// Connections accepted from one listener at a stop: as many as can be queued, and no
/// more, so that a flood does not hold up the end.
pub const LAST_ACCEPTS: usize = BACKLOG as usize;

/// A limit that a newcomer meets.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// Its event loop holds as many connections as it may: its `share` of `most`.
    Connections { most: usize, share: usize },
    /// Its source has as many connections as it may.
    PerSource { most: usize },
}

/// How many connections the limit on open descriptors allows, beside `workers` event
/// loops and `listeners` listeners in all.
pub fn max_connections(workers: usize, listeners: usize) -> usize {
    let further = LOOP_DESCRIPTORS * workers.saturating_sub(1) + listeners.saturating_sub(1);
    descriptors::limit().saturating_sub(OTHER_DESCRIPTORS + further).max(workers)
}
