//! What the system may lack or a sandbox refuse, and a client can do without: an option of a
//! socket, a call. Each is said once, with `-v`: never is it the network's fault.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::exit::reason;
use crate::probe::verbose;

/// The extras that were missing so far, and have been said: a bit for each.
static MISSING: AtomicU32 = AtomicU32::new(0);

/// What a client can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// ip(7), ipv6(7).
    ErrorQueue,
    /// socket(7).
    Stamps,
    /// ip(7), ipv6(7).
    PacketInfo,
    /// ipv6(7).
    OneFamily,
    /// socket(7).
    SharedPort,
    /// ip(7).
    LateChoice,
    /// ip(7), ipv6(7).
    ReceivedClass,
    /// tcp(7).
    TcpInfo,
    /// tcp(7).
    SegmentSize,
    /// timerfd_create(2).
    Timer,
    /// signalfd(2).
    Signals,
    /// pthread_create(3).
    Thread,
}

impl Extra {
    /// What it is called, and what is lost without it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ErrorQueue => ("IP_RECVERR", "who sent an ICMP error is not known"),
            Self::Stamps => ("SO_TIMESTAMPNS", "a reply's time is until it was read"),
            Self::PacketInfo => ("IP_PKTINFO", "the local address is the one that routes name"),
            Self::OneFamily => ("IPV6_V6ONLY", "IPv4 may come to IPv6 sockets"),
            Self::SharedPort => ("SO_REUSEADDR", "a source port rests after each connection"),
            Self::LateChoice => ("IP_BIND_ADDRESS_NO_PORT", "there are fewer source ports"),
            Self::ReceivedClass => ("IP_RECVTOS", "the DSCP of replies is not known"),
            Self::TcpInfo => ("TCP_INFO", "the time to connect is until the client saw it"),
            Self::SegmentSize => ("TCP_MAXSEG", "which size of segments passes is not known"),
            Self::Timer => ("timerfd", "times to wait are whole milliseconds"),
            Self::Signals => ("signalfd", "a signal ends a run without its summary"),
            Self::Thread => (
                "a thread for the resolver",
                "for names --timeout and --deadline do not hold, and a signal leaves no summary",
            ),
        }
    }
}

/// What `done` has given; none if `extra` is missing, which is said once.
pub fn have<T, E: Into<io::Error>>(extra: Extra, done: Result<T, E>) -> Option<T> {
    done.map_err(|error| {
        let bit = 1 << extra as u32;
        if MISSING.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            let ((name, lost), why) = (extra.words(), reason(&error.into()));
            verbose::say(format_args!("[*] Without {name} ({why}): {lost}"));
        }
    })
    .ok()
}
