//! What an examination of a probe has found, beside the probe's outcome.

use std::time::Instant;

use crate::probe::outcome::trouble::Trouble;
use crate::probe::trace::path::Path;

/// What an examination of a probe has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// When the examination began: right after the probe had ended.
    pub begun: Instant,
    /// The probe's way, if it was traced.
    pub trace: Option<Path>,
    /// The probe's trouble, if more is known of it now.
    pub trouble: Option<Trouble>,
}
