//! What became of an exchange, in one word.
//!
//! The words are the same for TCP and UDP, and stable: scripts ask for them
//! with `--expect`, and read them in JSON.

use std::fmt;
use std::str::FromStr;

/// What became of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A reply came.
    Ok,
    /// The target, or a firewall in its name, says that nobody listens: a TCP
    /// reset, or ICMP port unreachable.
    Refused,
    /// ICMP says that the target cannot or must not be reached; or this machine has
    /// no route to the target.
    Unreachable,
    /// No TCP connection in time.
    Timeout,
    /// Nothing came back in time, or the peer closed without an answer.
    NoReply,
    /// The connection stood, and was reset before a reply came.
    Reset,
    /// A reply came, and it is not the expected one.
    WrongReply,
    /// A reply came in time, but only from another address or port.
    WrongSource,
    /// The name was not resolved, or has no address of the family asked for.
    Unresolved,
    /// This machine is at fault: no free port, no descriptor.
    Local,
}

impl Verdict {
    /// All verdicts, in the order in which they are counted and listed.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Refused,
        Self::Unreachable,
        Self::Timeout,
        Self::NoReply,
        Self::Reset,
        Self::WrongReply,
        Self::WrongSource,
        Self::Unresolved,
        Self::Local,
    ];

    /// The verdict as users read and write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::NoReply => "no-reply",
            Self::Reset => "reset",
            Self::WrongReply => "wrong-reply",
            Self::WrongSource => "wrong-source",
            Self::Unresolved => "unresolved",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|verdict| verdict.as_str() == text);
        found.ok_or_else(|| format!("not a verdict: {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_stands_for_its_verdict() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.to_string().parse(), Ok(verdict));
        }
        assert!("Refused".parse::<Verdict>().is_err());
    }
}
