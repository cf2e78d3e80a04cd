//! What a reply is expected to be: `--expect-reply` and `--expect-prefix`.

use crate::probe::outcome::trouble::Trouble;

/// What a reply is expected to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpectedReply<'a> {
    /// Any reply will do.
    #[default]
    Any,
    /// These bytes and no others.
    Whole(&'a [u8]),
    /// These bytes, whatever comes after them.
    Prefix(&'a [u8]),
}

impl ExpectedReply<'_> {
    /// The result of an exchange in which `reply` came.
    ///
    /// # Errors
    /// The reply is not the expected one: [`Verdict::WrongReply`].
    ///
    /// [`Verdict::WrongReply`]: crate::probe::outcome::verdict::Verdict::WrongReply
    pub fn judge(self, reply: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        match self {
            Self::Whole(expected) if reply != expected => {
                Err(Trouble::wrong_reply(reply, "and not", expected))
            }
            Self::Prefix(expected) if !reply.starts_with(expected) => {
                Err(Trouble::wrong_reply(reply, "which does not begin with", expected))
            }
            _ => Ok(reply),
        }
    }

    /// Whether `received`, which came over TCP, is not the expected reply, whatever comes after
    /// it.
    #[must_use]
    pub fn is_ruled_out(self, received: &[u8]) -> bool {
        match self {
            Self::Any => false,
            Self::Whole(expected) => !expected.starts_with(received),
            Self::Prefix(expected) => {
                !expected.starts_with(received) && !received.starts_with(expected)
            }
        }
    }

    /// Whether `received`, which came over TCP, may become the expected reply if more comes.
    #[must_use]
    pub fn needs_more(self, received: &[u8]) -> bool {
        match self {
            Self::Any => false,
            Self::Whole(expected) | Self::Prefix(expected) => {
                received.len() < expected.len() && expected.starts_with(received)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(expected: ExpectedReply<'_>, reply: &[u8]) -> String {
        match expected.judge(reply.to_vec()) {
            Ok(_) => "ok".to_owned(),
            Err(trouble) => trouble.to_string(),
        }
    }

    #[test]
    fn a_reply_is_the_expected_one_or_begins_as_expected() {
        for (expected, reply, outcome) in [
            (ExpectedReply::Any, &b""[..], "ok"),
            (ExpectedReply::Whole(b"SSH"), b"SSH", "ok"),
            (ExpectedReply::Whole(b"SSH"), b"SSH-2", "wrong-reply ('SSH-2', and not 'SSH')"),
            (ExpectedReply::Prefix(b"SSH"), b"SSH-2", "ok"),
            (ExpectedReply::Prefix(b"SSH"), b"SSH", "ok"),
            (ExpectedReply::Prefix(b""), b"", "ok"),
            (
                ExpectedReply::Prefix(b"SSH"),
                b"SS\n",
                "wrong-reply ('SS\\n', which does not begin with 'SSH')",
            ),
        ] {
            assert_eq!(judged(expected, reply), outcome, "{expected:?}");
        }
    }

    #[test]
    fn more_is_needed_until_the_expected_reply_is_here_or_another_one() {
        for expected in [ExpectedReply::Whole(b"SSH"), ExpectedReply::Prefix(b"SSH")] {
            assert!(expected.needs_more(b"") && expected.needs_more(b"SS"));
            assert!(!expected.needs_more(b"SSH") && !expected.needs_more(b"SX"));
        }
        assert!(!ExpectedReply::Any.needs_more(b""));
    }

    #[test]
    fn a_reply_is_ruled_out_as_soon_as_it_differs() {
        for expected in [ExpectedReply::Whole(b"SSH"), ExpectedReply::Prefix(b"SSH")] {
            assert!(!expected.is_ruled_out(b"SS") && !expected.is_ruled_out(b"SSH"));
            assert!(expected.is_ruled_out(b"SX") && expected.is_ruled_out(b"SX-2"));
        }
        assert!(ExpectedReply::Whole(b"SSH").is_ruled_out(b"SSH-2"));
        assert!(!ExpectedReply::Prefix(b"SSH").is_ruled_out(b"SSH-2"));
        assert!(!ExpectedReply::Any.is_ruled_out(b"SSH"));
    }
}
