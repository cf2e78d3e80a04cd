//! The addresses of a target, tried in order, and why none of them would do.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::debug;
use nix::Error as Errno;

use crate::address::{Address, Host};
use crate::duration;
use crate::exit::{Failure, reason};

/// However little time is left, an attempt has this much: a target on the same
/// network answers in less.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(1);

/// A target whose name was resolved.
#[derive(Clone, Debug)]
pub struct Destination {
    /// As the user wrote it, for messages.
    pub(crate) written: Address,
    /// In the order in which they are tried. There is at least one.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where to send from, one a family; none where any will do.
    pub(crate) sources: Vec<SocketAddr>,
    pub(crate) timeout: Duration,
}

/// A socket whose two ends are the same, which would answer its own message.
///
/// Where nobody listens on a port, and that very port is the source, TCP opens
/// the connection from both sides at once (RFC 9293, section 3.5), and UDP
/// delivers to the sender.
#[must_use]
pub fn connected_to_itself() -> io::Error {
    io::Error::other("nobody listens there: it would have talked to itself")
}

/// Why an exchange with one address came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The peer, or the path to it. Exit status 1.
    Peer(String),
    /// This machine: no such source address, no free port, no descriptor.
    /// Exit status 2.
    Local(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for Trouble {
    /// What the kernel says about a socket is about the path, but for these.
    fn from(error: &io::Error) -> Self {
        let text = reason(error);
        match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
            Errno::EADDRNOTAVAIL
            | Errno::EADDRINUSE
            | Errno::EAFNOSUPPORT
            | Errno::EINVAL
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM
            | Errno::EPERM
            | Errno::EBADF
            | Errno::ENOTSOCK
            | Errno::EMSGSIZE => Self::Local(text),
            _ => Self::Peer(text),
        }
    }
}

impl Trouble {
    /// It cannot be sent from `source`.
    #[must_use]
    pub fn source(source: SocketAddr, error: &io::Error) -> Self {
        Self::Local(format!("cannot send from {source}: {}", reason(error)))
    }

    /// It cannot be connected. With a source, `EINVAL` says that no way leads
    /// from there to the target.
    #[must_use]
    pub fn connecting(error: &io::Error, source: Option<SocketAddr>) -> Self {
        match (Errno::from_raw(error.raw_os_error().unwrap_or_default()), source) {
            (Errno::EINVAL, Some(source)) => {
                Self::Local(format!("cannot be reached from {}", source.ip()))
            }
            _ => error.into(),
        }
    }

    /// Nothing came in time: `what` is "connection" or "reply".
    #[must_use]
    pub fn none_within(what: &str, limit: Duration) -> Self {
        Self::Peer(format!("no {what} within {}", duration::words(limit)))
    }
}

impl Destination {
    /// Tries the addresses in order, until `attempt` succeeds with one. Each
    /// may take an equal share of the time that is left, so that a silent one
    /// leaves something to those after it.
    ///
    /// # Errors
    /// Every address with what it failed of.
    pub fn try_each<T>(
        &self,
        mut attempt: impl FnMut(SocketAddr, Duration) -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        let mut time_left = self.timeout;
        let mut troubles = Vec::new();
        for (tried, &address) in self.addresses.iter().enumerate() {
            let left = u32::try_from(self.addresses.len() - tried).unwrap_or(u32::MAX);
            let start = Instant::now();
            match attempt(address, (time_left / left).max(SHORTEST_ATTEMPT)) {
                Ok(success) => return Ok(success),
                Err(trouble) => {
                    debug!("[!] {address}: {trouble:?}");
                    troubles.push((address, trouble));
                }
            }
            time_left = time_left.saturating_sub(start.elapsed());
        }
        Err(self.failure(&troubles))
    }

    /// How long one exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address to send from, to reach `peer`.
    #[must_use]
    pub fn source_for(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.sources.iter().copied().find(|source| source.is_ipv4() == peer.is_ipv4())
    }

    /// `127.0.0.1:6666: connection refused`; with a name, each reason and the
    /// addresses it is true of: `box:6666: connection refused (::1, 192.0.2.1)`.
    #[must_use]
    pub fn failure(&self, troubles: &[(SocketAddr, Trouble)]) -> Failure {
        let is_local = troubles.iter().all(|(_, trouble)| matches!(trouble, Trouble::Local(_)));
        let mut reasons: Vec<(&str, Vec<SocketAddr>)> = Vec::new();
        for (address, Trouble::Peer(why) | Trouble::Local(why)) in troubles {
            match reasons.iter_mut().find(|(known, _)| known == why) {
                Some((_, addresses)) => addresses.push(*address),
                None => reasons.push((why, vec![*address])),
            }
        }
        let mut text = String::new();
        for (why, addresses) in &reasons {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{why}");
            if matches!(self.written.host, Host::Name(_)) {
                let _ = write!(text, " ({})", list(addresses));
            }
        }
        if is_local {
            Failure::local(&self.written, text)
        } else {
            Failure::outcome(&self.written, text)
        }
    }
}

/// The hosts of `addresses`, with commas between them.
pub(crate) fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(written: &str, addresses: &[&str]) -> Destination {
        Destination {
            written: written.parse().unwrap(),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            sources: Vec::new(),
            timeout: Duration::from_secs(6),
        }
    }

    #[test]
    fn addresses_are_tried_in_order_and_share_the_time() {
        let two = destination("box:7000", &["[::1]:7000", "127.0.0.1:7000", "127.0.0.2:7000"]);
        let mut shares = Vec::new();
        let reached = two.try_each(|address, share| {
            shares.push(share.as_secs_f64().round());
            if address.is_ipv4() { Ok(address) } else { Err(Trouble::Peer("refused".to_owned())) }
        });
        assert_eq!(reached.map(|address| address.to_string()), Ok("127.0.0.1:7000".to_owned()));
        assert_eq!(shares, [2.0, 3.0]);
    }

    #[test]
    fn a_failure_names_what_was_tried() {
        let fails = |destination: Destination, troubles: &[Trouble]| {
            let mut troubles = troubles.iter().cloned();
            let fail = |_, _| Err::<(), _>(troubles.next().unwrap());
            destination.try_each(fail).unwrap_err().to_string()
        };
        let refused = Trouble::Peer("connection refused".to_owned());
        let silent = Trouble::none_within("reply", Duration::from_secs(5));
        let one = destination("127.0.0.1:7000", &["127.0.0.1:7000"]);
        assert_eq!(
            fails(one, std::slice::from_ref(&refused)),
            "127.0.0.1:7000: connection refused"
        );
        let two = destination("box:7000", &["[::1]:7000", "127.0.0.1:7000"]);
        assert_eq!(
            fails(two.clone(), &[refused.clone(), refused.clone()]),
            "box:7000: connection refused (::1, 127.0.0.1)"
        );
        assert_eq!(
            fails(two, &[refused, silent]),
            "box:7000: connection refused (::1), no reply within 5s (127.0.0.1)"
        );
    }
}
