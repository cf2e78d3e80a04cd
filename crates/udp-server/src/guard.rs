//! The guard decides which datagrams not to answer.
//!
//! Anybody can send a datagram with a forged source address. A server that answers
//! every datagram can be made to talk to another server, or to itself, without end
//! (CVE-2024-2169), or to send a third party what it never asked for (reflection).
//! The guard reads no clock and prints nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use common::server::peer::Peer;
use common::server::reply::Reply;

use crate::rates::Rates;

/// Why a datagram is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The datagram is what a server like this one answers.
    OwnReply,
    /// The source port is a service's, which may answer the reply in turn.
    LowPort,
    /// Nothing can be sent to the source address, or it would go to many hosts.
    UnusableSource,
    /// The source has had as many replies as `--rate` allows.
    Rate,
}

impl Cause {
    /// The number of causes.
    pub const COUNT: usize = 4;
}

/// Decides which datagrams to answer. Clones share the rates, for the datagrams of one
/// source may come to any event loop.
#[derive(Clone, Debug)]
pub struct Guard {
    reply: Reply,
    allow_low_ports: bool,
    rates: Option<Arc<Mutex<Rates>>>,
}

impl Guard {
    /// A guard for a server that answers `reply`. It allows `rate` replies a second to
    /// one source, or any number if `rate` is zero.
    pub fn new(reply: Reply, allow_low_ports: bool, rate: u64) -> Self {
        let rates = (rate > 0).then(|| Arc::new(Mutex::new(Rates::new(rate))));
        Self { reply, allow_low_ports, rates }
    }

    /// Why not to answer `message` from `peer`; `None` to answer it. The reply then counts
    /// towards the rate.
    pub fn objection(&self, peer: &Peer, message: &[u8], now: Instant) -> Option<Cause> {
        if peer.port() == 0 || is_unusable(peer.ip()) {
            return Some(Cause::UnusableSource);
        }
        if !self.allow_low_ports && is_service(peer.port()) {
            return Some(Cause::LowPort);
        }
        if self.reply.is_like(message) {
            return Some(Cause::OwnReply);
        }
        let rates = self.rates.as_ref()?;
        // Nothing panics while it holds the lock, so a poisoned lock guards sound data.
        let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
        (!rates.may_pass(peer.source(), now)).then_some(Cause::Rate)
    }
}

/// Whether `port` is one that clients do not send from unless told to: a system port
/// (RFC 6335), such as that of echo, chargen, DNS or NTP; or the port of NFS.
fn is_service(port: u16) -> bool {
    port < 1024 || port == 2049
}

/// Whether no host can have the address `ip`.
fn is_unusable(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST
}

#[cfg(test)]
mod tests {
    use common::options::Text;
    use common::protocol::UDP_REPLY;

    use super::*;
    use crate::limits::HEADERS;

    fn guard(allow_low_ports: bool, rate: u64) -> Guard {
        let reply = Reply::new(&Text(UDP_REPLY.as_bytes().to_vec()), false);
        Guard::new(reply, allow_low_ports, rate)
    }

    fn from(peer: &str) -> Peer {
        Peer::new(peer.parse().unwrap())
    }

    #[test]
    fn what_is_not_answered() {
        let guard = guard(false, 0);
        let now = Instant::now();
        for (peer, message, objection) in [
            ("192.0.2.1:40000", "hello", None),
            ("192.0.2.1:40000", "", None),
            ("192.0.2.1:1024", "hello", None),
            ("[2001:db8::1]:6666", "hello", None),
            ("192.0.2.1:6666", UDP_REPLY, Some(Cause::OwnReply)),
            ("192.0.2.1:6666", "host=b peer=192.0.2.2:6666 n=1", Some(Cause::OwnReply)),
            ("192.0.2.1:1023", "hello", Some(Cause::LowPort)),
            ("192.0.2.1:7", "hello", Some(Cause::LowPort)),
            ("192.0.2.1:2049", "hello", Some(Cause::LowPort)),
            ("192.0.2.1:0", "hello", Some(Cause::UnusableSource)),
            ("0.0.0.0:40000", "hello", Some(Cause::UnusableSource)),
            ("[::]:40000", "hello", Some(Cause::UnusableSource)),
            ("224.0.0.1:40000", "hello", Some(Cause::UnusableSource)),
            ("[ff02::1]:40000", "hello", Some(Cause::UnusableSource)),
            ("255.255.255.255:40000", "hello", Some(Cause::UnusableSource)),
        ] {
            let peer = from(peer);
            assert_eq!(guard.objection(&peer, message.as_bytes(), now), objection, "{peer}");
        }
    }

    #[test]
    fn low_ports_are_answered_if_allowed() {
        let guard = guard(true, 0);
        let now = Instant::now();
        assert_eq!(guard.objection(&from("192.0.2.1:53"), b"hello", now), None);
        let zero = guard.objection(&from("192.0.2.1:0"), b"hello", now);
        assert_eq!(zero, Some(Cause::UnusableSource));
    }

    #[test]
    fn unanswered_datagrams_do_not_count_towards_the_rate() {
        let guard = guard(false, 1);
        let now = Instant::now();
        let peer = &from("192.0.2.1:40000");
        for _ in 0..10 {
            assert_eq!(guard.objection(peer, UDP_REPLY.as_bytes(), now), Some(Cause::OwnReply));
        }
        assert_eq!(guard.objection(peer, b"hello", now), None);
        // Clones count together.
        assert_eq!(guard.clone().objection(peer, b"hello", now), None);
        assert_eq!(guard.objection(peer, b"hello", now), Some(Cause::Rate));
    }

    #[test]
    fn the_reply_is_not_much_more_than_any_request() {
        for message in 0..100 {
            let (request, reply) = (HEADERS + message, HEADERS + UDP_REPLY.len());
            assert!(reply * 10 <= request * 17, "{message} bytes");
        }
    }
}
