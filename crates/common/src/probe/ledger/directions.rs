//! In which direction probes of a run were lost.

/// How many probes were lost in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// Those that did not come to the target.
    pub there: u64,
    /// Those that came, and whose reply did not come back.
    pub back: u64,
}
