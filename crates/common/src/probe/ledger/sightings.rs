//! What the replies of servers with `--witness` say: which host answered, and which
//! address it saw the probe come from.

use std::net::SocketAddr;

use crate::inquiry::cut;

/// How many hosts are counted separately: more than there are behind any address that
/// somebody probes by hand.
const MOST_HOSTS: usize = 64;

/// The longest host name that is accepted, in bytes: the limit of Linux,
/// `HOST_NAME_MAX` (gethostname(2)).
const LONGEST_NAME: usize = 64;

/// What the replies of a run have said.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// How often each host answered.
    pub hosts: Vec<(String, u64)>,
    /// The address from which a server saw the last probe come.
    pub seen_as: Option<SocketAddr>,
    /// The address from which that probe was sent.
    pub local: Option<SocketAddr>,
    /// How many replies name an address other than the one the probe was sent from.
    pub translated: u64,
    /// The greatest number that a reply had. Each server numbers its replies.
    greatest: u64,
    /// Whether a reply had no greater number than one before: of several servers with the same name,
    /// or of one that was started again; or replies have overtaken each other.
    pub is_mixed: bool,
}

impl Sightings {
    /// Notes what `reply` says about a probe that was sent from `local`. A reply in any
    /// other form is ignored.
    pub fn note(&mut self, reply: &[u8], local: Option<SocketAddr>) {
        let Some(Sighting { host, peer, number, .. }) = parse(reply) else {
            return;
        };
        match self.hosts.iter().position(|(known, _)| known == host) {
            Some(at) => self.hosts[at].1 += 1,
            None if self.hosts.len() < MOST_HOSTS => self.hosts.push((host.to_owned(), 1)),
            None => {}
        }
        self.translated += u64::from(local.is_some_and(|local| !is_own(local, peer)));
        self.is_mixed |= number <= self.greatest && self.seen_as.is_some();
        self.greatest = self.greatest.max(number);
        (self.seen_as, self.local) = (Some(peer), local);
    }
}

/// What a reply says.
struct Sighting<'a> {
    host: &'a str,
    peer: SocketAddr,
    number: u64,
    dscp: Option<u8>,
}

/// The DSCP that a witness says it saw, if `reply` says so.
pub(crate) fn dscp(reply: &[u8]) -> Option<u8> {
    parse(reply)?.dscp
}

/// `host=NAME peer=IP:PORT n=COUNT`, and perhaps ` dscp=N`.
fn parse(reply: &[u8]) -> Option<Sighting<'_>> {
    let fields = std::str::from_utf8(reply.strip_prefix(b"host=")?).ok()?;
    let (host, rest) = cut(fields.trim_end(), " peer=")?;
    let (peer, number) = cut(rest, " n=")?;
    let (number, dscp) = match cut(number, " dscp=") {
        Some((number, dscp)) => (number, Some(dscp.parse().ok()?)),
        None => (number, None),
    };
    let number = number.parse().ok()?;
    // A server writes no space into it: with one, a host could list others beside itself.
    (host.len() <= LONGEST_NAME && !host.contains(char::is_whitespace)).then_some(())?;
    Some(Sighting { host, peer: peer.parse().ok()?, number, dscp })
}

/// Whether both are the same address and port. Scope numbers are not compared: they
/// mean nothing to the other side.
fn is_own(local: SocketAddr, seen: SocketAddr) -> bool {
    (local.ip(), local.port()) == (seen.ip(), seen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_replies_of_witnesses_are_noted() {
        let mut sightings = Sightings::default();
        let local = Some("10.0.0.2:4000".parse().unwrap());
        for reply in [
            "host=a peer=10.0.0.2:4000 n=1",
            "host=b peer=192.0.2.9:4000 n=1\n",
            "host=a peer=10.0.0.2:4000 n=2 dscp=46",
            "ACK!",
            "host=a peer=nobody n=3",
            "host=a peer=10.0.0.2:4000 n=3 dscp=x",
            "host=a (9), c peer=10.0.0.2:4000 n=3",
            "host=a peer=10.0.0.2:4000",
        ] {
            sightings.note(reply.as_bytes(), local);
        }
        assert_eq!(sightings.hosts, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!((sightings.translated, sightings.seen_as), (1, local));
    }

    #[test]
    fn the_numbers_of_one_server_ascend() {
        for (numbers, is_mixed) in [
            (&[0][..], false),
            (&[7, 8, 20], false),
            (&[1, 1, 2, 2], true),
            (&[5000, 1, 5001], true),
            (&[8, 7], true),
        ] {
            let mut sightings = Sightings::default();
            for number in numbers {
                let reply = format!("host=a peer=10.0.0.2:4000 n={number}");
                sightings.note(reply.as_bytes(), None);
            }
            assert_eq!(sightings.is_mixed, is_mixed, "{numbers:?}");
        }
    }

    #[test]
    fn a_witness_may_say_which_dscp_it_saw() {
        for (reply, seen) in [
            ("host=a peer=10.0.0.1:1 n=1 dscp=46", Some(46)),
            ("host=a peer=10.0.0.1:1 n=1 dscp=0\n", Some(0)),
            ("host=a peer=10.0.0.1:1 n=1 dscp=x", None),
            ("host=a peer=10.0.0.1:1 n=1", None),
            ("hello dscp=46", None),
        ] {
            assert_eq!(dscp(reply.as_bytes()), seen, "{reply}");
        }
    }
}
