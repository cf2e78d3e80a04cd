//! Every limit of this server, each with its reason.

/// Events taken from the kernel at once: there is one per socket at most.
pub const EVENTS_PER_TURN: usize = 64;

/// Datagrams received from one socket before others get their turn, and
/// signals are looked at.
pub const DATAGRAMS_PER_TURN: usize = 64;

/// More than any datagram holds (65,527 bytes, over IPv6): none is truncated
/// unseen.
pub const RECEIVE_SIZE: usize = 64 * 1024;

/// Turns after a request to stop, for the datagrams that had come before: more
/// than a receive buffer of the usual size (212,992 bytes) holds, and so few
/// that a flood does not hold up the end.
pub const LAST_TURNS: usize = 64;
