//! The protocol of the Python socket tutorial, as constants.
//!
//! The protocol is frozen: the four programs interoperate with the tutorial's, byte for
//! byte. Apart from tests and help texts, no other file has these values.

use std::fmt;
use std::net::Ipv4Addr;

/// The tutorial's port, for TCP and for UDP.
pub const PORT: u16 = 6666;

/// Where a server listens without `--listen`: on every IPv4 address.
pub const LISTEN_HOST: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// Where a client goes if it is given no target.
pub const TARGET_HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The most bytes of a message that one receive takes (TCP), and that are printed.
pub const BUFFER_SIZE: usize = 1024;

/// What the clients send without `--message` (udp-client: in a run).
pub const DEFAULT_MESSAGE: &str = "hehe, just for a test!";

/// What `tcp-server` answers, before it closes.
pub const TCP_REPLY: &str = "ACK!";

/// What `udp-server` answers to each datagram.
///
/// "Recvice" is the tutorial's spelling. It stays, because it goes over the wire.
pub const UDP_REPLY: &str = "Recvice message ok!";

/// The most bytes one UDP datagram carries over IPv4: 65,535 less the IP
/// header (20) and the UDP header (8).
pub const MAX_DATAGRAM: usize = 65_507;

/// What a program speaks. The same service may have another port over the other, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}
