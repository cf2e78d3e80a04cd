//! Every limit of this server, each with its reason.

use std::time::Duration;

/// Events taken from the kernel at once: at most one a socket.
pub const EVENTS_PER_TURN: usize = 64;

/// Datagrams received in one call, or more if the kernel has coalesced some: enough to
/// spread the cost of the call.
pub const BATCH_SIZE: usize = 64;

/// Batches received from one socket before the others are served and the loop
/// looks for signals: 128 datagrams, or more if the kernel has coalesced some.
pub const BATCHES_PER_TURN: usize = 2;

/// The size of a buffer to receive into: more than any datagram holds (65,527 bytes,
/// over IPv6), or any number that the kernel has coalesced. So none is truncated.
pub const RECEIVE_SIZE: usize = 64 * 1024;

/// Bytes for the control messages of a datagram that comes to a passed socket. 144 at most
/// are what the server asks for; a service manager may have asked for others.
pub const PASSED_CONTROL_SIZE: usize = 256;

/// The most replies that the kernel cuts out of one send (`UDP_MAX_SEGMENTS`, which was 64
/// before Linux 6.9).
pub const MOST_SEGMENTS: usize = 64;

/// The most bytes of replies to one peer in one send. With UDP GSO the kernel first makes one
/// IPv4 datagram of them, which holds 65,507 bytes at most.
pub const MOST_REPLY_BYTES: usize = 60_000;

/// After so many bytes a socket has had its share of a turn, for datagrams that the kernel has
/// coalesced are many.
pub const BYTES_PER_TURN: u64 = 64 * 1024;

/// Turns after a request to stop, for datagrams that came before it: enough for all
/// that a receive buffer of the usual size (212,992 bytes) holds, and so few that a
/// flood does not hold up the end.
pub const LAST_TURNS: usize = 64;

/// How long these turns may take if they have received [`LAST_BYTES`]. 64 turns with coalesced
/// datagrams take some seconds.
pub const LAST_TIME: Duration = Duration::from_millis(100);

/// More bytes, those of UDP headers included, than datagrams have which fit into a receive buffer
/// of the usual size: also if the kernel has coalesced them, to 277 times 128 of one byte.
pub const LAST_BYTES: u64 = 512 * 1024;

/// Bytes of the header of UDP.
pub const UDP_HEADER: u64 = 8;

/// Bytes of the kernel's tables of sockets that an event loop reads for `--stats`: the rows of
/// some 2,000 sockets. That takes a few milliseconds, however long the tables are.
pub const TABLE_PART: u64 = 256 * 1024;

/// Bytes of the headers of a datagram, at least: 20 for IPv4 and 8 for UDP.
pub const HEADERS: usize = 20 + 8;

/// The most replies a second that `--rate` takes. A higher rate would limit nothing.
pub const MOST_RATE: u64 = 1_000_000;

/// A burst may have as many replies as are earned in this time: twice the rate.
pub const BURST: Duration = Duration::from_secs(2);

/// The ports from which datagrams came (`--witness`) are kept in so many sets: 8,192 ports in 1.1 MB,
/// those of some minutes, if a few clients lose datagrams and so leave ports. A client that asks
/// about what was forgotten is not told.
pub const SEEN_SETS: usize = 1024;

/// How many ports a set holds: so many that hardly any is forgotten before the table is nearly full,
/// and so few that a look at all of them is no search.
pub const SEEN_WAYS: usize = 8;

/// The rate of at least this many sources is kept, and of twice as many at most, in
/// some 4 MB. A source that is forgotten begins anew, with a whole burst.
pub const SOURCES: usize = 32 * 1024;
