//! Why a probe has its verdict, in a word of its own, where one verdict has several causes.
//!
//! The words are stable, as those of the verdicts are.

use std::fmt;

/// What is behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Of `unresolved`: the resolver says that the name does not exist, or has no address of
    /// the family asked for.
    NoSuchName,
    /// Of `unresolved`: the resolver could not be asked, or did not answer in time.
    NoResolver,
    /// Of `no-reply`: the target's system has acknowledged what was sent, and nothing came back.
    SilentProgram,
    /// Of `no-reply`: what was sent over a connection that stood was never acknowledged.
    Unacknowledged,
    /// Of `no-reply` and `unreachable`: what was sent, or the reply, is too large for the way.
    Mtu,
}

impl Cause {
    /// All causes, in the order in which they are counted and listed.
    pub const ALL: [Self; 5] =
        [Self::NoSuchName, Self::NoResolver, Self::SilentProgram, Self::Unacknowledged, Self::Mtu];

    /// The cause as users read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSuchName => "no-such-name",
            Self::NoResolver => "no-resolver",
            Self::SilentProgram => "silent-program",
            Self::Unacknowledged => "unacknowledged",
            Self::Mtu => "mtu",
        }
    }

    /// Whether the cause says more than the reason in words, which people read beside it.
    #[must_use]
    pub fn says_more(self) -> bool {
        match self {
            // The reason is the resolver's: name or service not known.
            Self::NoSuchName => false,
            Self::NoResolver | Self::SilentProgram | Self::Unacknowledged | Self::Mtu => true,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
