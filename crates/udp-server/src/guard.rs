//! Whom not to answer.
//!
//! Anybody can send a datagram in another's name. A server that answers them
//! all can be made to talk to another server, or to itself, without end
//! (CVE-2024-2169), or to send what nobody asked for to a third party
//! (reflection). The guard judges; it reads no clock and prints nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use common::server::peer::Peer;
use common::server::reply::Reply;

use crate::rates::Rates;

/// Why a datagram is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is what a server like this one answers.
    OwnReply,
    /// It came from the port of a service, which may answer the answer.
    LowPort,
    /// Nothing can be sent there, or it would be to many.
    UnusableSource,
    /// Its source has had its share.
    Rate,
}

impl Cause {
    /// How many there are.
    pub const COUNT: usize = 4;
}

/// What is answered, and what not. The loops share the rates, for one source's
/// datagrams come to all of them.
#[derive(Clone, Debug)]
pub struct Guard {
    reply: Reply,
    allow_low_ports: bool,
    rates: Option<Arc<Mutex<Rates>>>,
}

impl Guard {
    /// A guard of a server that answers `reply`, with at most `rate` replies a
    /// second to one source, where that is not zero.
    pub fn new(reply: Reply, allow_low_ports: bool, rate: u64) -> Self {
        let rates = (rate > 0).then(|| Arc::new(Mutex::new(Rates::new(rate))));
        Self { reply, allow_low_ports, rates }
    }

    /// Why `message` from `peer` is not answered;
    /// `None` where it is, which counts towards the rate.
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
        // Nothing panics with the lock held, so a poisoned one is sound.
        let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
        (!rates.may_pass(peer.source(), now)).then_some(Cause::Rate)
    }
}

/// Ports that clients do not send from unless told to: the system's own (RFC
/// 6335), echo, chargen, DNS and NTP among them; and that of NFS.
fn is_service(port: u16) -> bool {
    port < 1024 || port == 2049
}

/// No host has such an address.
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
    fn whom_not_to_answer() {
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
    fn low_ports_where_they_are_wanted() {
        let guard = guard(true, 0);
        let now = Instant::now();
        assert_eq!(guard.objection(&from("192.0.2.1:53"), b"hello", now), None);
        let zero = guard.objection(&from("192.0.2.1:0"), b"hello", now);
        assert_eq!(zero, Some(Cause::UnusableSource));
    }

    #[test]
    fn what_is_not_answered_costs_nothing_of_the_rate() {
        let guard = guard(false, 1);
        let now = Instant::now();
        let peer = &from("192.0.2.1:40000");
        for _ in 0..10 {
            assert_eq!(guard.objection(peer, UDP_REPLY.as_bytes(), now), Some(Cause::OwnReply));
        }
        assert_eq!(guard.objection(peer, b"hello", now), None);
        // The loops' guards are clones, and count together.
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
