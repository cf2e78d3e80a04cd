//! Why an exchange with one address came to nothing.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use nix::Error as Errno;

use crate::duration;
use crate::exit::reason;
use crate::probe::outcome::icmp::IcmpError;
use crate::probe::outcome::verdict::Verdict;

/// Why an exchange with one address came to nothing. It is boxed, for it seldom
/// does, and what may hold one is moved about for every probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble(Box<Details>);

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// In one word; never [`Verdict::Ok`].
    pub verdict: Verdict,
    /// In words, for people: safe to print.
    pub reason: String,
    /// Who sent the ICMP error that says so.
    pub router: Option<IpAddr>,
    /// Its type and code.
    pub icmp: Option<(u8, u8)>,
    /// Who answered instead.
    pub from: Option<SocketAddr>,
    /// What came instead of the reply that was hoped for.
    pub reply: Option<Vec<u8>>,
}

/// Every source port is taken (`net.ipv4.ip_local_port_range`), or the family
/// has no address here.
const NO_PORT: &str = "no free port, or no address, to send from";

impl Deref for Trouble {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Trouble {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Display for Trouble {
    /// `refused (port unreachable, says 192.0.2.1)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.verdict, self.reason)?;
        if let Some(router) = self.router {
            write!(f, ", says {router}")?;
        }
        f.write_str(")")
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for Trouble {
    /// What the kernel says about a socket, where ICMP has said nothing.
    fn from(error: &io::Error) -> Self {
        let verdict = match error.kind() {
            ErrorKind::ConnectionRefused => Verdict::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Verdict::Reset,
            ErrorKind::TimedOut => Verdict::Timeout,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Verdict::Unreachable,
            _ => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                // ICMPv6's "prohibited", and a route of this machine's that is.
                Errno::EACCES | Errno::EHOSTDOWN | Errno::ENOPROTOOPT | Errno::EPROTO => {
                    Verdict::Unreachable
                }
                _ => Verdict::Local,
            },
        };
        // Without an ICMP error it was a reset (RFC 9293, section 3.5.2).
        match verdict {
            Verdict::Refused => Self::new(verdict, "a reset came back"),
            _ => Self::new(verdict, reason(error)),
        }
    }
}

impl From<IcmpError> for Trouble {
    fn from(error: IcmpError) -> Self {
        let mut trouble = Self::new(error.verdict(), error.words());
        (trouble.router, trouble.icmp) = (error.router, Some((error.kind, error.code)));
        trouble
    }
}

impl Trouble {
    /// `verdict`, which `reason` explains.
    #[must_use]
    pub fn new(verdict: Verdict, reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        let (router, icmp, from, reply) = (None, None, None, None);
        Self(Box::new(Details { verdict, reason, router, icmp, from, reply }))
    }

    /// It cannot be sent from `source`.
    #[must_use]
    pub fn source(source: SocketAddr, error: &io::Error) -> Self {
        if source.port() == 0 && error.kind() == ErrorKind::AddrInUse {
            return Self::new(Verdict::Local, NO_PORT);
        }
        Self::new(Verdict::Local, format_args!("cannot send from {source}: {}", reason(error)))
    }

    /// It cannot be connected: the routes of this machine do not let it (ip(7),
    /// ip-route(8)), or it has nothing to send from.
    #[must_use]
    pub fn connecting(error: &io::Error, source: Option<SocketAddr>) -> Self {
        match (Errno::from_raw(error.raw_os_error().unwrap_or_default()), source) {
            (Errno::EINVAL, Some(source)) => {
                Self::new(Verdict::Local, format_args!("cannot be reached from {}", source.ip()))
            }
            (Errno::EINVAL, None) => {
                Self::new(Verdict::Unreachable, "a route of this machine's is a black hole")
            }
            (Errno::EACCES, _) => Self::new(Verdict::Unreachable, "prohibited by this machine"),
            (Errno::EADDRNOTAVAIL, _) => Self::new(Verdict::Local, NO_PORT),
            _ => error.into(),
        }
    }

    /// The connection stood, and then failed. That the way was lost meanwhile
    /// may pass: nothing came back, and that is all.
    #[must_use]
    pub fn connected(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Self::new(Verdict::NoReply, format_args!("the way was lost: {}", reason(&error)))
            }
            // A peer that closes at once, and has what is sent then reset.
            ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
                Self::new(Verdict::NoReply, "closed before the message was sent")
            }
            _ => error.into(),
        }
    }

    /// A socket whose two ends are the same, which would answer its own message.
    ///
    /// Where nobody listens on a port, and that very port is the source, TCP
    /// opens the connection from both sides at once (RFC 9293, section 3.5), and
    /// UDP delivers to the sender.
    #[must_use]
    pub fn connected_to_itself() -> Self {
        Self::new(Verdict::Refused, "nobody listens there: it would have talked to itself")
    }

    /// There was no connection in time.
    #[must_use]
    pub fn no_connection(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::new(Verdict::Timeout, format_args!("no connection within {limit}"))
    }

    /// The connection stood, and nothing came in time.
    #[must_use]
    pub fn silent(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::new(Verdict::NoReply, format_args!("connected, and then nothing within {limit}"))
    }

    /// Nothing came back in time.
    #[must_use]
    pub fn no_reply(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::new(Verdict::NoReply, format_args!("nothing came back within {limit}"))
    }

    /// Only somebody else answered.
    #[must_use]
    pub fn wrong_source(from: SocketAddr) -> Self {
        let mut trouble = Self::new(Verdict::WrongSource, format_args!("{from} answered instead"));
        trouble.from = Some(from);
        trouble
    }
}
