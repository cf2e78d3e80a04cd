//! DSCP, by which routers treat datagrams (RFC 2474): how it is written, and what the path makes of it.

use std::fmt;

/// Parses a DSCP: a number, or a name (RFC 2474, RFC 2597, RFC 3246).
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const ANY: &str = "not a DSCP: 0 to 63, EF, CS0 to CS7, AF11 to AF43";
    let number = match text.as_bytes() {
        [b'E' | b'e', b'F' | b'f'] => 46,
        [b'C' | b'c', b'S' | b's', class @ b'0'..=b'7'] => u64::from(class - b'0') * 8,
        [b'A' | b'a', b'F' | b'f', class @ b'1'..=b'4', drop @ b'1'..=b'3'] => {
            u64::from((class - b'0') * 8 + (drop - b'0') * 2)
        }
        _ => text.parse().map_err(|_| ANY)?,
    };
    if number < 64 { Ok(number) } else { Err(ANY.to_owned()) }
}

/// A DSCP that comes out as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewriting {
    from: u8,
    to: u8,
    is_there: bool,
}

impl Rewriting {
    /// What the path makes of a DSCP that was `sent`, that a witness has `seen`, and that the `reply`
    /// had: on the way there, and on the way back. A witness answers with the one that it has seen.
    #[must_use]
    pub fn of(sent: Option<u8>, seen: Option<u8>, reply: Option<u8>) -> [Option<Self>; 2] {
        let change = |from: Option<u8>, to: Option<u8>, is_there| {
            let (from, to) = from.zip(to).filter(|(from, to)| from != to)?;
            Some(Self { from, to, is_there })
        };
        [change(sent, seen, true), change(seen, reply, false)]
    }
}

impl fmt::Display for Rewriting {
    /// `the path rewrites DSCP 46 to 0 on the way there`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, is_there } = self;
        let way = if *is_there { "there" } else { "back" };
        write!(f, "the path rewrites DSCP {from} to {to} on the way {way}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        for (text, number) in [
            ("0", 0),
            ("63", 63),
            ("46", 46),
            ("EF", 46),
            ("ef", 46),
            ("CS0", 0),
            ("CS1", 8),
            ("cs7", 56),
            ("AF11", 10),
            ("af13", 14),
            ("AF21", 18),
            ("AF43", 38),
        ] {
            assert_eq!(parse(text), Ok(number), "{text}");
        }
        for text in ["64", "-1", "", "CS8", "AF10", "AF14", "AF51", "EFF", "0xb8", "voice"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_known_of_both_ends_is_a_rewriting() {
        let words = |sent, seen, reply| {
            Rewriting::of(sent, seen, reply).map(|one| one.map(|one| one.to_string()))
        };
        let there = Some("the path rewrites DSCP 46 to 0 on the way there".to_owned());
        let back = Some("the path rewrites DSCP 46 to 8 on the way back".to_owned());
        assert_eq!(words(Some(46), Some(46), Some(46)), [None, None]);
        assert_eq!(words(Some(46), Some(0), Some(0)), [there.clone(), None]);
        assert_eq!(words(Some(46), Some(46), Some(8)), [None, back]);
        assert_eq!(words(Some(46), Some(0), None), [there, None]);
        // Without a witness, a reply's DSCP is the server's own choice.
        assert_eq!(words(Some(46), None, Some(0)), [None, None]);
    }
}
