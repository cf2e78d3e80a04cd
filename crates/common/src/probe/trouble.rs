//! Why an exchange with one address came to nothing.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::Error as Errno;

use crate::duration;
use crate::exit::reason;
use crate::probe::icmp::IcmpError;
use crate::probe::verdict::Verdict;

/// Why an exchange with one address came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In one word; never [`Verdict::Ok`].
    pub verdict: Verdict,
    /// In words, for people.
    pub reason: String,
    /// Who sent the ICMP error that says so.
    pub router: Option<IpAddr>,
    /// Who answered instead.
    pub from: Option<SocketAddr>,
    /// What came instead of the reply that was hoped for.
    pub reply: Option<Vec<u8>>,
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
        Self::new(verdict, reason(error))
    }
}

impl From<IcmpError> for Trouble {
    fn from(error: IcmpError) -> Self {
        Self { router: error.router, ..Self::new(error.verdict(), error.words()) }
    }
}

impl Trouble {
    /// `verdict`, which `reason` explains.
    #[must_use]
    pub fn new(verdict: Verdict, reason: impl fmt::Display) -> Self {
        Self { verdict, reason: reason.to_string(), router: None, from: None, reply: None }
    }

    /// It cannot be sent from `source`.
    #[must_use]
    pub fn source(source: SocketAddr, error: &io::Error) -> Self {
        Self::new(Verdict::Local, format_args!("cannot send from {source}: {}", reason(error)))
    }

    /// It cannot be connected. With a source, `EINVAL` says that no way leads
    /// from there to the target.
    #[must_use]
    pub fn connecting(error: &io::Error, source: Option<SocketAddr>) -> Self {
        match (Errno::from_raw(error.raw_os_error().unwrap_or_default()), source) {
            (Errno::EINVAL, Some(source)) => {
                Self::new(Verdict::Local, format_args!("cannot be reached from {}", source.ip()))
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

    /// Nothing came back in time.
    #[must_use]
    pub fn no_reply(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::new(Verdict::NoReply, format_args!("nothing came back within {limit}"))
    }

    /// Only somebody else answered.
    #[must_use]
    pub fn wrong_source(from: SocketAddr) -> Self {
        let trouble = Self::new(Verdict::WrongSource, format_args!("{from} answered instead"));
        Self { from: Some(from), ..trouble }
    }
}
