//! A datagram that no probe was waiting for.

use std::time::Duration;

/// A datagram that no probe was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What kind of datagram it is.
    pub kind: Kind,
    /// The probe that was last sent from the port.
    pub number: u64,
    /// How long ago that probe was sent.
    pub after: Duration,
}

/// What kind of datagram a stray is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reply to a probe that had ended without a reply.
    Late,
    /// A further reply to a probe that had been answered, or that had gone on to another
    /// address.
    Duplicate,
    /// A datagram from somebody other than the target.
    Foreign,
}

impl Kind {
    /// The kind in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Foreign => "foreign",
        }
    }
}
