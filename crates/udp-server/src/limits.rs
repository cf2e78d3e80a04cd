//! Every limit of this server, each with its reason.

use std::time::Duration;

/// Events taken from the kernel at once: there is one per socket at most.
pub const EVENTS_PER_TURN: usize = 64;

/// Batches received from one socket before others get their turn, and signals
/// are looked at: 64 datagrams, and more only where the kernel has coalesced
/// them.
pub const BATCHES_PER_TURN: usize = 2;

/// More than any datagram holds (65,527 bytes, over IPv6), or any number that
/// the kernel has coalesced: none is truncated unseen.
pub const RECEIVE_SIZE: usize = 64 * 1024;

/// Bytes of a run of replies: with its headers it has to fit an IPv4 datagram,
/// which the kernel makes of it first (65,507 bytes).
pub const RUN_SIZE: usize = 60_000;

/// Turns after a request to stop, for the datagrams that had come before: more
/// than a receive buffer of the usual size (212,992 bytes) holds, and so few
/// that a flood does not hold up the end.
pub const LAST_TURNS: usize = 64;

/// Bytes of the headers of the smallest datagram: IPv4 (20) and UDP (8).
pub const HEADERS: usize = 20 + 8;

/// The most replies a second that `--rate` can ask for: more is no limit.
pub const MOST_RATE: u64 = 1_000_000;

/// The replies of so much time may go out at once: bursts of twice the rate.
pub const BURST: Duration = Duration::from_secs(2);

/// Sources whose rate is kept at least, and half of those kept at most: some
/// 4 MB. One that is forgotten begins anew, with a whole burst.
pub const SOURCES: usize = 32 * 1024;
