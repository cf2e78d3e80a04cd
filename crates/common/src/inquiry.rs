//! The wire format of an inquiry: a client asks a `udp-server --witness` which of its own
//! datagrams have come there, and so learns in which direction the others were lost.
//!
//! ```text
//! seen? 40001/1500 40002/1600                                              (padded with spaces)
//! host=box-b peer=192.0.2.1:40009 since=86400000 40001=1/1490 40002=0
//! ```
//!
//! The inquiry lists source ports, and for each how many milliseconds to look back. The answer has
//! for each port how many datagrams came from there in that time, from the IP address that asks,
//! and how long ago the first of them came. A port of which the server cannot tell is left out.
//! `since` is for how many milliseconds the server has known everything: who came in that time, and
//! is not known, has not come.
//!
//! An answer has at most as many bytes as the inquiry: nothing can be amplified. It begins as the
//! other replies of a witness do.

use std::fmt::{Display, Write};
use std::net::SocketAddr;

/// What an inquiry begins with.
const BEGINNING: &str = "seen? ";

/// The most ports of one inquiry. With what it is padded to, it has less than 1,232 bytes, which
/// pass by any link that IPv6 allows (RFC 8200, section 5: 1,280 with the headers).
pub const MOST_PORTS: usize = 32;

/// The bytes of an answer before the ports, but for the host's name and the peer: `since=` has up
/// to 13 digits, of 300 years.
const HEAD: usize = "host= peer= since=".len() + 13;

/// The bytes of a port in an answer: 5 digits, 5 of its count, and 10 of the time, of 100 days.
/// Where more are needed, a port may be left out.
const EACH: usize = " =/".len() + 5 + 5 + 10;

/// A port that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The source port.
    pub port: u16,
    /// How many milliseconds to look back.
    pub within_ms: u64,
}

/// What has come from a port in the time that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many datagrams.
    pub count: u64,
    /// How many milliseconds ago the first of them came; 0 if there were none.
    pub oldest_ms: u64,
}

/// An inquiry about these ports, long enough for an answer by `host` to `own`, our own address.
#[must_use]
pub fn write(questions: &[Question], host: &str, own: SocketAddr) -> Vec<u8> {
    let mut text = BEGINNING.to_owned();
    for Question { port, within_ms } in questions {
        // Writing to a string does not fail.
        let _ = write!(text, "{port}/{within_ms} ");
    }
    let length = HEAD + host.len() + own.to_string().len() + questions.len() * EACH;
    let mut bytes = text.into_bytes();
    bytes.resize(length.max(bytes.len()), b' ');
    bytes
}

/// The ports that `message` asks about, if it is an inquiry.
#[must_use]
pub fn parse(message: &[u8]) -> Option<Vec<Question>> {
    let rest = message.strip_prefix(BEGINNING.as_bytes())?;
    let mut questions = Vec::new();
    for word in str::from_utf8(rest).ok()?.split(' ').filter(|word| !word.is_empty()) {
        let (port, within) = word.split_once('/')?;
        let (port, within_ms) = (port.parse().ok()?, within.parse().ok()?);
        (questions.len() < MOST_PORTS).then(|| questions.push(Question { port, within_ms }))?;
    }
    (!questions.is_empty()).then_some(questions)
}

/// An answer of `host` to `peer`, of `most` bytes at most: `seen` has for each port what is known
/// of it. What does not fit is left out.
pub fn answer(
    host: &str,
    peer: impl Display,
    since_ms: u64,
    seen: impl Iterator<Item = (u16, Seen)>,
    most: usize,
) -> Vec<u8> {
    let mut text = format!("host={host} peer={peer} since={since_ms}");
    for (port, Seen { count, oldest_ms }) in seen {
        let whole = text.len();
        let _ = write!(text, " {port}={count}");
        if count > 0 {
            let _ = write!(text, "/{oldest_ms}");
        }
        if text.len() > most {
            text.truncate(whole);
            break;
        }
    }
    let mut bytes = text.into_bytes();
    bytes.truncate(most);
    bytes
}

/// An answer that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The name of the host.
    pub host: &'a str,
    /// The address from which the inquiry came there.
    pub peer: SocketAddr,
    /// For how many milliseconds the server has known everything.
    pub since_ms: u64,
    /// What it knows, by port.
    pub seen: Vec<(u16, Seen)>,
}

impl<'a> Answer<'a> {
    /// The answer that `reply` is, if it is one.
    #[must_use]
    pub fn parse(reply: &'a [u8]) -> Option<Self> {
        let mut words = str::from_utf8(reply).ok()?.split(' ');
        let host = words.next()?.strip_prefix("host=")?;
        let peer = words.next()?.strip_prefix("peer=")?.parse().ok()?;
        let since_ms = words.next()?.strip_prefix("since=")?.parse().ok()?;
        let mut seen = Vec::new();
        for word in words.take(MOST_PORTS) {
            let (port, rest) = word.split_once('=')?;
            let (count, oldest) = rest.split_once('/').unwrap_or((rest, "0"));
            let (count, oldest_ms) = (count.parse().ok()?, oldest.parse().ok()?);
            seen.push((port.parse().ok()?, Seen { count, oldest_ms }));
        }
        Some(Self { host, peer, since_ms, seen })
    }

    /// What has come from `port`, if the server knows.
    #[must_use]
    pub fn of(&self, port: u16) -> Option<Seen> {
        self.seen.iter().find(|(other, _)| *other == port).map(|(_, seen)| *seen)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST: &str = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535";

    #[test]
    fn an_inquiry_and_its_answer_in_print() {
        let questions =
            [(40001, 1500), (40002, 1600)].map(|(port, within_ms)| Question { port, within_ms });
        let own = "192.0.2.1:40009".parse().unwrap();
        let inquiry = write(&questions, "box-b", own);
        let text = str::from_utf8(&inquiry).unwrap();
        assert_eq!(text.trim_end(), "seen? 40001/1500 40002/1600");
        assert_eq!(parse(&inquiry).unwrap(), questions);
        let seen =
            [(40001, Seen { count: 1, oldest_ms: 1490 }), (40002, Seen { count: 0, oldest_ms: 0 })];
        let reply = answer("box-b", own, 86_400_000, seen.into_iter(), inquiry.len());
        let expected = "host=box-b peer=192.0.2.1:40009 since=86400000 40001=1/1490 40002=0";
        assert_eq!(str::from_utf8(&reply).unwrap(), expected);
        let said = Answer { host: "box-b", peer: own, since_ms: 86_400_000, seen: seen.into() };
        assert_eq!(Answer::parse(&reply), Some(said));
    }

    #[test]
    fn what_has_another_form_is_no_inquiry_and_no_answer() {
        let many = format!("seen? {}", "1/1 ".repeat(MOST_PORTS + 1));
        for message in [
            "seen?",
            "seen? ",
            "seen? hello",
            "seen? 1",
            "seen? 65536/1",
            "seen? 1/-1",
            &many,
            "Seen? 1/1",
        ] {
            assert_eq!(parse(message.as_bytes()), None, "{message}");
        }
        for reply in [
            "host=a peer=10.0.0.1:1 n=1",
            "host=a peer=10.0.0.1:1 since=",
            "host=a peer=10.0.0.1 since=1",
            "host=a peer=10.0.0.1:1 since=1 x",
            "host=a peer=10.0.0.1:1 since=1 1=1/",
            "ACK!",
        ] {
            assert_eq!(Answer::parse(reply.as_bytes()), None, "{reply}");
        }
    }

    #[test]
    fn the_longest_inquiry_fits_into_the_least_datagram_of_ipv6_and_its_answer_into_it() {
        let port = |n| Question { port: 65_535 - n, within_ms: 9_999_999_999 };
        let questions: Vec<_> = (0..MOST_PORTS as u16).map(port).collect();
        let (host, own) = ("h".repeat(64), LONGEST.parse().unwrap());
        let inquiry = write(&questions, &host, own);
        assert!(inquiry.len() <= 1280 - 40 - 8, "{}", inquiry.len());
        let seen = Seen { count: 99_999, oldest_ms: 9_999_999_999 };
        let seen = questions.iter().map(|question| (question.port, seen));
        let reply = answer(&host, own, 9_999_999_999_999, seen, inquiry.len());
        assert_eq!(Answer::parse(&reply).unwrap().seen.len(), MOST_PORTS);
    }

    proptest! {
        /// Whatever is asked and known, the answer is no longer than the inquiry.
        #[test]
        fn nothing_is_amplified(
            host in "[a-z]{0,80}", most in 0..400usize,
            seen in prop::collection::vec((any::<u16>(), any::<u64>(), any::<u64>()), 0..40),
        ) {
            let seen = seen.into_iter().map(|(port, count, oldest_ms)| (port, Seen { count, oldest_ms }));
            let reply = answer(&host, LONGEST, u64::MAX, seen, most);
            prop_assert!(reply.len() <= most);
        }

        /// No bytes of a stranger's are taken for more than they are.
        #[test]
        fn any_bytes_are_parsed(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (parse(&bytes), Answer::parse(&bytes));
            let inquiry = [BEGINNING.as_bytes(), &bytes].concat();
            prop_assert!(parse(&inquiry).is_none_or(|found| found.len() <= MOST_PORTS));
        }
    }
}
