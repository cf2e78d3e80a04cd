//! A datagram that no probe was waiting for.

use std::time::Duration;

/// A datagram that no probe was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What the datagram is.
    pub kind: Kind,
    /// The probe that was last sent from the port.
    pub number: u64,
    /// How long ago that probe was sent.
    pub after: Duration,
}

/// What a stray is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reply to a probe that had ended without one.
    Late,
    /// Another reply to a probe that has had one.
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
