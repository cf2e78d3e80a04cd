//! What came of a probe, as far as the probes before and after it matter.

use std::time::{Duration, Instant};

/// What came of a probe, as far as its neighbours matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// When the probe was sent: if it went to several addresses, to the first one.
    pub sent: Instant,
    /// How it came out.
    pub came: Came,
    /// The time of its reply, if it has one and was not sent late.
    pub reply: Option<Duration>,
}

/// How a probe came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// As expected.
    AsExpected,
    /// Otherwise.
    Failed,
    /// Otherwise, by this machine's own fault.
    FailedHere,
}
