//! The protocol of the Python socket tutorial, as constants.
//!
//! The protocol is frozen: the four programs interoperate with the tutorial's, byte for
//! byte. Nothing else in the workspace knows these values.

use std::net::Ipv4Addr;

/// The tutorial's port, for TCP and for UDP.
pub const PORT: u16 = 6666;

/// Where a server listens unless told otherwise: every IPv4 address.
pub const LISTEN_HOST: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// Where a client goes unless told otherwise.
pub const TARGET_HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The most bytes of one message that a side reads (TCP) or shows (UDP).
pub const BUFFER_SIZE: usize = 1024;

/// What the clients send if they are given no message (udp-client: in a run).
pub const DEFAULT_MESSAGE: &str = "hehe, just for a test!";

/// What `tcp-server` answers, before it closes.
pub const TCP_REPLY: &str = "ACK!";

/// What `udp-server` answers to each datagram.
///
/// "Recvice" is the tutorial's spelling. It goes over the wire, so it stays.
pub const UDP_REPLY: &str = "Recvice message ok!";

/// The most bytes one UDP datagram carries over IPv4: 65,535 less the IP
/// header (20) and the UDP header (8).
pub const MAX_DATAGRAM: usize = 65_507;
