//! Every limit of this server, each with its reason.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Connections that the kernel queues for one listener. It caps the number at
/// `net.core.somaxconn`, 4096 on today's Linux; a client beyond it waits for
/// its SYN to be sent again, a second later.
pub const BACKLOG: i32 = 4096;

/// Events taken from the kernel at once: enough to spread the cost of the
/// call, and small enough that a signal never waits long.
pub const EVENTS_PER_TURN: usize = 1024;

/// Connections accepted from one listener before others get their turn.
pub const ACCEPTS_PER_TURN: usize = 64;

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

/// Descriptors that are not for connections: the standard ones, the event
/// loops', the listeners', and what libraries may need for a moment.
const OTHER_DESCRIPTORS: u64 = 32;

/// How long a stop waits for the connections whose reply is under way.
pub const DRAIN: Duration = Duration::from_secs(2);

/// How long a stop waits for a peer that has its reply to close: some round
/// trips. Those who send without end would otherwise hold it up for all of
/// [`DRAIN`].
pub const LAST_LINGER: Duration = Duration::from_millis(500);

/// Connections accepted from one listener at a stop: as many as may be queued,
/// and so few that a flood does not hold up the end.
pub const LAST_ACCEPTS: usize = BACKLOG as usize;

/// What a server allows a connection.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long it may say nothing.
    pub read_timeout: Duration,
    /// How long the peer may take to take the reply, and to close.
    pub linger: Duration,
    /// Whether every message is answered, until the peer closes; else the
    /// first.
    pub conversation: bool,
}

/// How many connections the limit of open descriptors has room for.
pub fn max_connections() -> usize {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    usize::try_from(soft.saturating_sub(OTHER_DESCRIPTORS).max(1)).unwrap_or(usize::MAX)
}

/// Raises the limit of open descriptors as far as this process may. The usual
/// soft limit, 1024, is kept that low for programs that use `select`.
pub fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where it is refused, the server serves as many as it may.
        let _: nix::Result<()> = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
