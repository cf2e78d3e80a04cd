//! Why an exchange with one address failed.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use nix::Error as Errno;

use crate::broadcast::is_broadcast;
use crate::duration;
use crate::exit::reason;
use crate::printable::framed::quoted;
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::icmp::{IcmpError, Narrow};
use crate::probe::outcome::suspicion::Suspicion;
use crate::probe::outcome::verdict::Verdict;

/// Why an exchange with one address failed. The details are boxed, because trouble is
/// rare, and every probe moves a value that has room for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble(Box<Details>);

/// What is known about the trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The trouble in one word; never [`Verdict::Ok`].
    pub verdict: Verdict,
    /// What is behind the verdict, if the verdict has several causes.
    pub cause: Option<Cause>,
    /// The reason in words, safe to print.
    pub reason: String,
    /// Whether nothing at all came back from the target, so that a reply may still come.
    pub is_silence: bool,
    /// Who sent the ICMP error.
    pub router: Option<IpAddr>,
    /// The type and the code of the ICMP error.
    pub icmp: Option<(u8, u8)>,
    /// Who answered instead of the target.
    pub from: Option<SocketAddr>,
    /// What came instead of the expected reply.
    pub reply: Option<Vec<u8>>,
    /// How many bytes of a message the largest segment has that passes, if larger ones do not.
    pub largest_segment: Option<u32>,
    /// Which size of segments may be the reason.
    pub suspicion: Option<Suspicion>,
}

/// Every source port is taken (`net.ipv4.ip_local_port_range`), or this machine has no
/// address of the family.
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
    /// `refused (port unreachable, says 192.0.2.1)`,
    /// `unresolved (no-resolver: temporary failure in name resolution)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_way(None))
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for Trouble {
    /// The meaning of an error that the kernel returns for a socket, if no ICMP error
    /// explains it.
    fn from(error: &io::Error) -> Self {
        let verdict = match error.kind() {
            ErrorKind::ConnectionRefused => Verdict::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Verdict::Reset,
            ErrorKind::TimedOut => Verdict::Timeout,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Verdict::Unreachable,
            _ => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                // ICMPv6's "prohibited", or a prohibiting route of this machine.
                Errno::EACCES | Errno::EHOSTDOWN | Errno::ENOPROTOOPT | Errno::EPROTO => {
                    Verdict::Unreachable
                }
                _ => Verdict::Local,
            },
        };
        // A refusal without an ICMP error is a reset (RFC 9293, section 3.5.2).
        match verdict {
            Verdict::Refused => Self::new(verdict, "a reset came back"),
            Verdict::Timeout => Self::silence(verdict, reason(error)),
            _ => Self::new(verdict, reason(error)),
        }
    }
}

impl From<IcmpError> for Trouble {
    fn from(error: IcmpError) -> Self {
        let mut trouble = Self::new(error.verdict(), error.words());
        (trouble.router, trouble.icmp) = (error.router, Some((error.kind, error.code)));
        trouble.cause = error.is_too_large().then_some(Cause::Mtu);
        trouble
    }
}

impl Trouble {
    /// Trouble with this verdict, for this reason.
    #[must_use]
    pub fn new(verdict: Verdict, reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self(Box::new(Details {
            verdict,
            cause: None,
            reason,
            is_silence: false,
            router: None,
            icmp: None,
            from: None,
            reply: None,
            largest_segment: None,
            suspicion: None,
        }))
    }

    /// The trouble in words, with what is known of the `way`:
    /// `no-reply (nothing came back within 5s; last heard of at hop 2, 10.1.3.2)`
    #[must_use]
    pub fn with_way(&self, way: Option<&dyn fmt::Display>) -> String {
        let cause = self.cause.filter(|cause| cause.says_more());
        let cause = cause.map_or_else(String::new, |cause| format!("{cause}: "));
        let says = self.router.map_or_else(String::new, |router| format!(", says {router}"));
        let way = way.map_or_else(String::new, |way| format!("; {way}"));
        // The trace has most often met the same error again.
        let again = self.router.map(|router| format!(" by {router}: {}", self.reason));
        let way = again.and_then(|again| way.strip_suffix(&again)).unwrap_or(&way);
        format!("{} ({cause}{}{says}{way})", self.verdict, self.reason)
    }

    /// Trouble with this verdict, because nothing came back from the target in time.
    fn silence(verdict: Verdict, reason: impl fmt::Display) -> Self {
        let mut trouble = Self::new(verdict, reason);
        trouble.is_silence = true;
        trouble
    }

    /// A call fails that has not reached the network: making a socket, asking the kernel.
    #[must_use]
    pub fn here(error: &io::Error) -> Self {
        Self::new(Verdict::Local, reason(error))
    }

    /// Nothing can be sent from `source`: bind(2) fails.
    #[must_use]
    pub fn source(source: SocketAddr, error: &io::Error) -> Self {
        if source.port() == 0 && error.kind() == ErrorKind::AddrInUse {
            return Self::new(Verdict::Local, NO_PORT);
        }
        Self::new(Verdict::Local, format_args!("cannot send from {source}: {}", reason(error)))
    }

    /// connect(2) fails at once: this machine's routes do not allow it (ip(7),
    /// ip-route(8)), or there is no address or port to send from.
    #[must_use]
    pub fn connecting(error: &io::Error, peer: SocketAddr, source: Option<SocketAddr>) -> Self {
        match (Errno::from_raw(error.raw_os_error().unwrap_or_default()), source) {
            (Errno::EINVAL, Some(source)) => {
                Self::new(Verdict::Local, format_args!("cannot be reached from {}", source.ip()))
            }
            (Errno::EINVAL, None) => {
                Self::new(Verdict::Unreachable, "a route of this machine's is a black hole")
            }
            // TCP's answer, and UDP's.
            (Errno::ENETUNREACH | Errno::EACCES, _) if is_broadcast(peer) => {
                Self::new(Verdict::Local, "a broadcast address, and not that of one machine")
            }
            (Errno::EACCES, _) => Self::new(Verdict::Unreachable, "prohibited by this machine"),
            (Errno::EADDRNOTAVAIL, Some(source)) if source.port() != 0 => Self::new(
                Verdict::Local,
                format_args!("an earlier connection still holds port {}", source.port()),
            ),
            (Errno::EADDRNOTAVAIL, _) => Self::new(Verdict::Local, NO_PORT),
            _ => error.into(),
        }
    }

    /// The connection stood, and then failed. If the way was lost, it may come back, so
    /// the verdict is only [`Verdict::NoReply`].
    #[must_use]
    pub fn connected(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Self::new(Verdict::NoReply, format_args!("the way was lost: {}", reason(&error)))
            }
            // The peer closed at once, and reset what was sent after that.
            ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
                Self::new(Verdict::NoReply, "closed before the message was sent")
            }
            // A sandbox's: of a connection that stands, the kernel says no such thing.
            ErrorKind::PermissionDenied => Self::here(&error),
            _ => error.into(),
        }
    }

    /// The two ends of the socket are the same, so it would answer its own message.
    ///
    /// This happens if nobody listens on a port and the same port is the source: TCP
    /// opens the connection from both sides at once (RFC 9293, section 3.5), and UDP
    /// delivers to the sender.
    #[must_use]
    pub fn connected_to_itself() -> Self {
        Self::new(Verdict::Refused, "nobody listens there: it would have talked to itself")
    }

    /// No connection within `limit`.
    #[must_use]
    pub fn no_connection(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::silence(Verdict::Timeout, format_args!("no connection within {limit}"))
    }

    /// The connection stood, and nothing came within `limit`.
    #[must_use]
    pub fn silent(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::silence(Verdict::NoReply, format_args!("connected, and then nothing within {limit}"))
    }

    /// The connection stood, and then nothing came because segments are too large for the way:
    /// `reason` says for which. The `largest` that passes has so many bytes.
    #[must_use]
    pub fn segments_vanish(reason: impl fmt::Display, largest: u32) -> Self {
        let mut trouble =
            Self::silence(Verdict::NoReply, format_args!("connected, and then {reason}"));
        (trouble.cause, trouble.largest_segment) = (Some(Cause::Mtu), Some(largest));
        trouble
    }

    /// Nothing came back within `limit`.
    #[must_use]
    pub fn no_reply(limit: Duration) -> Self {
        let limit = duration::words(limit);
        Self::silence(Verdict::NoReply, format_args!("nothing came back within {limit}"))
    }

    /// Nothing came back within `limit`, of a datagram that was sent again in fragments because a
    /// link takes no more than `narrow` says.
    #[must_use]
    pub fn no_reply_to_fragments(limit: Duration, narrow: Narrow) -> Self {
        let mut trouble = Self::no_reply(limit);
        trouble.cause = Some(Cause::Mtu);
        trouble.reason += &format!("; {narrow}, and it was sent again in fragments");
        trouble
    }

    /// Only `from`, which is not the target, answered.
    #[must_use]
    pub fn wrong_source(from: SocketAddr) -> Self {
        let mut trouble =
            Self::silence(Verdict::WrongSource, format_args!("{from} answered instead"));
        trouble.from = Some(from);
        trouble
    }

    /// A reply came, and it is not as expected: `but` says in which way.
    #[must_use]
    pub fn wrong_reply(reply: Vec<u8>, but: &str, expected: &[u8]) -> Self {
        let same = reply.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let (came, wanted) = (excerpt(&reply, same), excerpt(expected, same));
        let reason = format!("{came}, {but} {wanted}");
        let mut trouble = Self::new(Verdict::WrongReply, reason);
        trouble.reply = Some(reply);
        trouble
    }
}

/// Bytes of a reply that a reason shows.
const SHOWN: usize = 64;

/// What a reason shows of `reply`, whose first `same` bytes are as expected: the
/// beginning, or the place where the difference begins. The quotes hold nothing but the
/// reply's bytes, so that no reply can say the rest of the reason.
fn excerpt(reply: &[u8], same: usize) -> String {
    let skipped = if same < SHOWN { 0 } else { same - SHOWN / 4 };
    let shown = &reply[skipped..];
    let dots = |is_cut| if is_cut { "..." } else { "" };
    let (before, after) = (dots(skipped > 0), dots(shown.len() > SHOWN));
    format!("{before}{}{after}", quoted(&shown[..shown.len().min(SHOWN)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::outcome::icmp::Version;

    #[test]
    fn what_the_trace_met_again_is_said_once() {
        let router = Some("10.2.1.2".parse().unwrap());
        let error = IcmpError { version: Version::V4, kind: 3, code: 13, router, mtu: None };
        let trouble = Trouble::from(error);
        let with = |way: &str| trouble.with_way(Some(&way));
        let same = "unreachable (prohibited by a filter, says 10.2.1.2; stopped at hop 2)";
        assert_eq!(with("stopped at hop 2 by 10.2.1.2: prohibited by a filter"), same);
        assert_eq!(
            with("last heard of at hop 1, 10.0.0.254"),
            "unreachable (prohibited by a filter, says 10.2.1.2; last heard of at hop 1, 10.0.0.254)"
        );
    }

    #[test]
    fn a_time_out_is_silence_whoever_notices_it() {
        let limit = Duration::from_secs(5);
        let by_the_kernel = Trouble::from(io::Error::from(ErrorKind::TimedOut));
        let by_us =
            [Trouble::no_connection(limit), Trouble::silent(limit), Trouble::no_reply(limit)];
        assert!(by_us.iter().chain([&by_the_kernel]).all(|trouble| trouble.is_silence));
        assert!(!Trouble::from(io::Error::from(ErrorKind::ConnectionRefused)).is_silence);
    }

    #[test]
    fn a_wrong_reply_shows_where_it_differs() {
        let (mut reply, expected) = (vec![b'x'; 200], vec![b'x'; 200]);
        reply[100] = b'\n';
        let trouble = Trouble::wrong_reply(reply.clone(), "and not", &expected);
        let (same, rest) = ("x".repeat(16), "x".repeat(47));
        let reason = format!("...'{same}\\n{rest}'..., and not ...'{same}x{rest}'...");
        assert_eq!((trouble.verdict, &trouble.reason), (Verdict::WrongReply, &reason));
        assert_eq!(trouble.reply.as_ref(), Some(&reply));
        let forged = Trouble::wrong_reply(b"...SSH', and not 'X".to_vec(), "and not", b"SSH");
        assert_eq!(forged.reason, r"'...SSH\x27, and not \x27X', and not 'SSH'");
    }
}
