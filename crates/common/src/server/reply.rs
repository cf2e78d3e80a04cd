//! What a server answers.

use std::borrow::Cow;
use std::str;
use std::sync::Arc;

use crate::options::Text;
use crate::protocol::{TCP_REPLY, UDP_REPLY};
use crate::server::peer::Peer;

/// What a server answers: a text, or what it saw of the peer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The same text to everybody.
    Text(Arc<[u8]>),
    /// `host=NAME peer=IP:PORT n=COUNT` (`--witness`), and over UDP ` dscp=N`.
    Witness {
        /// This machine's name.
        host: Arc<str>,
    },
}

impl Reply {
    /// The reply that the command line asks for.
    #[must_use]
    pub fn new(text: &Text, witness: bool) -> Self {
        if !witness {
            return Self::Text(text.0.as_slice().into());
        }
        let host = nix::unistd::gethostname().unwrap_or_default();
        // A host name should have no spaces, but a system may have one that does.
        let host = host.to_string_lossy().replace(char::is_whitespace, "_");
        Self::Witness { host: host.into() }
    }

    /// The reply to `peer`. If it says how many replies this server has made, `number` counts it.
    pub fn to(&self, peer: &Peer, number: impl FnOnce() -> u64) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Witness { host } => {
                format!("host={host} peer={peer} n={}", number()).into_bytes().into()
            }
        }
    }

    /// As [`Reply::to`], with this `number`. A witness says with which DSCP the message came, too, if
    /// that is known.
    pub fn to_one(&self, peer: &Peer, number: u64, dscp: Option<u8>) -> Vec<u8> {
        let mut reply = self.to(peer, || number).into_owned();
        if let (Self::Witness { .. }, Some(dscp)) = (self, dscp) {
            reply.extend_from_slice(format!(" dscp={dscp}").as_bytes());
        }
        reply
    }

    /// The text, if everybody gets the same.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// This machine's name, if replies have it.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        if let Self::Witness { host } = self { Some(host) } else { None }
    }

    /// As [`Reply::to`], to be kept until it can be sent.
    pub fn kept(&self, peer: &Peer, number: impl FnOnce() -> u64) -> Arc<[u8]> {
        match self {
            Self::Text(text) => Arc::clone(text),
            Self::Witness { .. } => self.to(peer, number).into(),
        }
    }

    /// The length of the longest reply there can be, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        /// `[0000:...:255.255.255.255%4294967295]:65535`, and a 64-bit number.
        const PEER: usize = 45 + 11 + 8;
        const NUMBER: usize = 20;
        match self {
            Self::Text(text) => text.len(),
            Self::Witness { host } => "host= peer= n= dscp=63".len() + host.len() + PEER + NUMBER,
        }
    }

    /// Whether `message` is what a server like this one answers. Answering such a
    /// message could make two servers talk to each other without end.
    #[must_use]
    pub fn is_like(&self, message: &[u8]) -> bool {
        let is_own = matches!(self, Self::Text(text) if **text == *message);
        is_own
            || message == UDP_REPLY.as_bytes()
            || message == TCP_REPLY.as_bytes()
            || is_witness(message)
    }
}

fn is_witness(message: &[u8]) -> bool {
    // Hardly any message goes further than this.
    if !message.starts_with(b"host=") {
        return false;
    }
    let Ok(text) = str::from_utf8(message) else {
        return false;
    };
    let mut words = text.split(' ');
    let mut is_next = |key| words.next().is_some_and(|word| word.starts_with(key));
    if !(is_next("host=") && is_next("peer=")) {
        return false;
    }
    // Of an inquiry's answer, ports follow.
    let is_answer = |word: &str| word.starts_with("since=");
    let third = words.next().unwrap_or_default();
    let is_last = |word: &str| word.starts_with("dscp=");
    is_answer(third)
        || (third.starts_with("n=") && words.next().is_none_or(is_last) && words.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer::new("[2001:db8::1]:40000".parse().unwrap())
    }

    #[test]
    fn a_witness_reports_what_it_saw() {
        let reply = Reply::Witness { host: "box-b".into() };
        assert_eq!(&*reply.kept(&peer(), || 7), b"host=box-b peer=[2001:db8::1]:40000 n=7");
    }

    #[test]
    fn replies_of_servers_are_known() {
        let text = Reply::new(&Text(b"pong".to_vec()), false);
        let witness = Reply::new(&Text(b"pong".to_vec()), true);
        for reply in [&text, &witness] {
            assert!(reply.is_like(b"Recvice message ok!"));
            assert!(reply.is_like(b"ACK!"));
            assert!(reply.is_like(&witness.to(&peer(), || 1)));
            assert!(reply.is_like(b"host=a peer=b since=5 40001=1/5"));
            assert!(reply.is_like(b"host=a peer=b since=5"));
            assert!(!reply.is_like(b"seen? 40001/5"), "an inquiry is answered");
            assert!(!reply.is_like(b"hello"));
            assert!(!reply.is_like(b"host=a peer=b"));
            assert!(reply.is_like(&witness.to_one(&peer(), 1, Some(46))));
            assert!(!reply.is_like(b"host=a peer=b n=1 and more"));
            assert!(!reply.is_like(b"host=a peer=b n=1 dscp=46 x"));
            assert!(!reply.is_like(b"\xff"));
            assert!(!reply.is_like(b""), "empty messages are answered");
        }
        assert!(text.is_like(b"pong"));
        let empty = Reply::new(&Text(Vec::new()), false);
        assert!(empty.is_like(b""), "two servers with empty replies would not end");
    }
}
