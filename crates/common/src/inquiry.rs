//! The wire format of an inquiry: a client asks a `udp-server --witness` which of its own
//! datagrams have come there, and so learns in which direction the others were lost.
//!
//! ```text
//! seen? 40001/1500 40002/1600                                              (padded with spaces)
//! host=box-b peer=192.0.2.1:40009 since=86400000 40001=1/1490 40002=0/0
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

use std::fmt::Write;
use std::net::SocketAddr;
use std::str;

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
pub fn write(questions: impl Iterator<Item = Question>, host: &str, own: SocketAddr) -> Vec<u8> {
    let own = own.to_string();
    let (mut text, mut length) = (BEGINNING.to_owned(), HEAD + host.len() + own.len());
    for Question { port, within_ms } in questions {
        // Writing to a string does not fail.
        let _ = write!(text, "{port}/{within_ms} ");
        length += EACH;
    }
    let mut bytes = text.into_bytes();
    bytes.resize(length.max(bytes.len()), b' ');
    bytes
}

/// Whether `message` is an inquiry.
#[must_use]
pub fn is_one(message: &[u8]) -> bool {
    message.strip_prefix(BEGINNING.as_bytes()).is_some_and(|rest| {
        rest.contains(&b'/') && rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'/' | b' '))
    })
}

/// What an inquiry asks, as far as that can be understood: [`MOST_PORTS`] at most.
fn questions(inquiry: &[u8]) -> impl Iterator<Item = Question> {
    let words = inquiry.split(|byte| *byte == b' ');
    let pairs = words.filter_map(|word| cut(str::from_utf8(word).ok()?, "/"));
    let question = |(port, within): (&str, &str)| {
        let (port, within_ms) = (u16::try_from(number(port)?).ok()?, number(within)?);
        Some(Question { port, within_ms })
    };
    pairs.filter_map(question).take(MOST_PORTS)
}

/// What comes before and after the first `mark` in `text`.
#[must_use]
#[inline(never)] // The search for a text is large.
pub fn cut<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(mark)
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok()
}

/// The answer of `host` to `peer`, who has sent `inquiry`: no longer than that. `seen` says of each
/// port what is known of it. What does not fit is left out.
pub fn answer(
    host: &str,
    peer: &str,
    since_ms: u64,
    inquiry: &[u8],
    seen: impl Fn(Question) -> Option<Seen>,
) -> Vec<u8> {
    let mut text = format!("host={host} peer={peer} since={since_ms}");
    let mut whole = text.len().min(inquiry.len());
    for question in questions(inquiry) {
        let Some(Seen { count, oldest_ms }) = seen(question) else {
            continue;
        };
        let _ = write!(text, " {}={count}/{oldest_ms}", question.port);
        if text.len() > inquiry.len() {
            break;
        }
        whole = text.len();
    }
    let mut bytes = text.into_bytes();
    bytes.truncate(whole);
    bytes
}

/// An answer that has come.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The name of the host.
    pub host: &'a str,
    /// The address from which the inquiry came there.
    pub peer: SocketAddr,
    /// For how many milliseconds the server has known everything.
    pub since_ms: u64,
    /// What it says of the ports.
    ports: &'a str,
}

impl<'a> Answer<'a> {
    /// The answer that `reply` is, if it is one.
    #[must_use]
    pub fn parse(reply: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(reply.strip_prefix(b"host=")?).ok()?;
        let (host, rest) = cut(text, " peer=")?;
        let (peer, rest) = cut(rest, " since=")?;
        let (since, ports) = cut(rest, " ")?;
        Some(Self { host, peer: peer.parse().ok()?, since_ms: number(since)?, ports })
    }

    /// What has come from `port`, if the server knows.
    #[must_use]
    pub fn of(&self, port: u16) -> Option<Seen> {
        let mut words = self.ports.split(' ').filter_map(|word| cut(word, "="));
        let (_, known) = words.find(|(word, _)| number(word) == Some(port.into()))?;
        let (count, oldest) = cut(known, "/")?;
        Some(Seen { count: number(count)?, oldest_ms: number(oldest)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST: &str = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535";

    fn question(port: u16, within_ms: u64) -> Question {
        Question { port, within_ms }
    }

    #[test]
    fn an_inquiry_and_its_answer_in_print() {
        let asked = [question(40001, 1500), question(40002, 1600), question(40003, 9)];
        let own = "192.0.2.1:40009".parse().unwrap();
        let inquiry = write(asked.into_iter(), "box-b", own);
        let text = str::from_utf8(&inquiry).unwrap();
        assert_eq!(text.trim_end(), "seen? 40001/1500 40002/1600 40003/9");
        assert!(is_one(&inquiry));
        assert_eq!(questions(&inquiry).collect::<Vec<_>>(), asked);
        let [one, none] = [(1, 1490), (0, 0)].map(|(count, oldest_ms)| Seen { count, oldest_ms });
        let seen = |question: Question| match question.port {
            40001 => Some(one),
            40002 => Some(none),
            _ => None,
        };
        let reply = answer("box-b", "192.0.2.1:40009", 86_400_000, &inquiry, seen);
        let expected = "host=box-b peer=192.0.2.1:40009 since=86400000 40001=1/1490 40002=0/0";
        assert_eq!(str::from_utf8(&reply).unwrap(), expected);
        let said = Answer::parse(&reply).unwrap();
        assert_eq!((said.host, said.peer, said.since_ms), ("box-b", own, 86_400_000));
        assert_eq!([40001, 40002, 40003].map(|port| said.of(port)), [Some(one), Some(none), None]);
    }

    #[test]
    fn what_has_another_form_is_no_inquiry_and_no_answer() {
        for message in
            ["seen?", "seen? ", "seen? hello", "seen? 1", "seen? 1/-1", "Seen? 1/1", "hello"]
        {
            assert!(!is_one(message.as_bytes()), "{message}");
        }
        for inquiry in ["seen? 65536/1", "seen? /", "seen? 1/", "seen? 1/18446744073709551616"] {
            assert_eq!(questions(inquiry.as_bytes()).count(), 0, "{inquiry}");
        }
        let many = "1/1 ".repeat(2 * MOST_PORTS);
        assert_eq!(questions(many.as_bytes()).count(), MOST_PORTS);
        for reply in [
            "host=a peer=10.0.0.1:1 n=1",
            "host=a peer=10.0.0.1:1 since=",
            "host=a peer=10.0.0.1 since=1 1=1/1",
            "ACK!",
        ] {
            assert!(Answer::parse(reply.as_bytes()).is_none(), "{reply}");
        }
        let odd = Answer::parse(b"host=a peer=10.0.0.1:1 since=1 x 1=1 2=1/ 3=x/1 4=1/1").unwrap();
        let known = [1, 2, 3, 4].map(|port| odd.of(port).is_some());
        assert_eq!(known, [false, false, false, true]);
    }

    #[test]
    fn the_longest_inquiry_fits_into_the_least_datagram_of_ipv6_and_its_answer_into_it() {
        let asked = (0..MOST_PORTS as u16).map(|n| question(65_535 - n, 9_999_999_999));
        let host = "h".repeat(64);
        let inquiry = write(asked, &host, LONGEST.parse().unwrap());
        assert!(inquiry.len() <= 1280 - 40 - 8, "{}", inquiry.len());
        let seen = Seen { count: 99_999, oldest_ms: 9_999_999_999 };
        let reply = answer(&host, LONGEST, 9_999_999_999_999, &inquiry, |_| Some(seen));
        let said = Answer::parse(&reply).unwrap();
        assert_eq!(said.of(65_535 - (MOST_PORTS as u16 - 1)), Some(seen));
    }

    proptest! {
        /// Whatever is asked and known, the answer is no longer than the inquiry.
        #[test]
        fn nothing_is_amplified(
            host in "[a-z]{0,80}", asked in "[0-9 /]{0,200}", count in any::<u64>(),
            oldest_ms in any::<u64>(),
        ) {
            let inquiry = [BEGINNING, &asked].concat();
            let seen = Seen { count, oldest_ms };
            let reply = answer(&host, LONGEST, u64::MAX, inquiry.as_bytes(), |_| Some(seen));
            prop_assert!(reply.len() <= inquiry.len());
        }

        /// No bytes of a stranger's do harm.
        #[test]
        fn any_bytes_are_parsed(bytes in prop::collection::vec(any::<u8>(), 0..80), port: u16) {
            let _ = (is_one(&bytes), Answer::parse(&bytes));
            prop_assert!(questions(&bytes).count() <= MOST_PORTS);
            let reply = [b"host=a peer=10.0.0.1:1 since=1 ", &bytes[..]].concat();
            let _ = Answer::parse(&reply).map(|answer| answer.of(port));
        }
    }
}
