//! The way of a probe, as far as it is known.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::Error as Errno;

use crate::exit::reason;
use crate::probe::outcome::icmp::IcmpError;

/// The way of a probe, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it begins: this machine's own address.
    pub local: SocketAddr,
    /// Where it leads.
    pub address: SocketAddr,
    /// Whether the port differs from the probe's, which could not be used again.
    pub is_other_port: bool,
    /// Who is on the way, in order.
    pub hops: Vec<Hop>,
    /// Why no more is known.
    pub end: End,
}

/// A hop: a router, or in the end the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Who answered, if the system says so.
    pub router: Option<IpAddr>,
    /// How long the answer took; none if there was none, or if that is not known.
    pub time: Option<Duration>,
    /// Whether nobody answered.
    pub is_silent: bool,
}

impl Hop {
    /// A hop that has not answered.
    pub const SILENT: Self = Self { router: None, time: None, is_silent: true };
}

/// Why no more is known of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The target has answered.
    Reached,
    /// A hop says that it goes no further, and why.
    Stopped(IcmpError),
    /// Several hops in a row did not answer.
    Silent,
    /// More hops than are asked.
    TooFar,
    /// The time was up.
    OutOfTime,
    /// This machine could not ask, for this reason of the system's.
    Failed(Errno),
}

impl End {
    /// The end in one word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Stopped(_) => "stopped",
            Self::Silent => "silent",
            Self::TooFar => "too-far",
            Self::OutOfTime => "out-of-time",
            Self::Failed(_) => "failed",
        }
    }

    /// What was said of it, if anybody has said anything.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Stopped(error) => Some(error.words()),
            Self::Failed(errno) => Some(reason(&(*errno).into())),
            _ => None,
        }
    }
}

impl Path {
    /// A way of which nothing is known.
    #[must_use]
    pub fn new(local: SocketAddr, address: SocketAddr) -> Self {
        let (hops, end) = (Vec::new(), End::OutOfTime);
        Self { local, address, is_other_port: false, hops, end }
    }

    /// The number of the last hop that answered, and who that was, if known.
    #[must_use]
    pub fn last(&self) -> Option<(usize, Option<IpAddr>)> {
        let at = self.hops.iter().rposition(|hop| !hop.is_silent)?;
        Some((at + 1, self.hops[at].router))
    }
}

impl fmt::Display for Path {
    /// `last heard of at hop 2, 10.1.3.2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.end {
            End::Failed(_) => "no trace",
            End::Reached => "the way there is open: the target answered",
            End::Stopped(_) => "stopped",
            _ if self.last().is_none() => "no router on the way answered",
            _ => "last heard of",
        };
        f.write_str(what)?;
        let last = self.last().filter(|_| !matches!(self.end, End::Failed(_)));
        if let Some((hop, router)) = last {
            let by = if matches!(self.end, End::Stopped(_)) { " by" } else { "," };
            let router = router.filter(|_| self.end != End::Reached);
            let router = router.map_or_else(String::new, |router| format!("{by} {router}"));
            // If the one before was silent, the answer may be to what it was asked.
            let is_exact = hop < 2 || !self.hops[hop - 2].is_silent || self.end != End::Reached;
            write!(f, " {} hop {hop}{router}", if is_exact { "at" } else { "by" })?;
        }
        match self.end.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None if self.end == End::OutOfTime => f.write_str(", when the trace had to end"),
            None => Ok(()),
        }
    }
}
