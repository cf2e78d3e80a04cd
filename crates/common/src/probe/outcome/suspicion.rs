//! Segments that may be too large for the way: what the search for the largest one that passes
//! begins with.

/// A size of segments that may be too large for the way, as a silence over TCP suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Which way they may be too large for.
    pub way: Way,
    /// How many bytes of a message they have at most.
    pub size: u32,
    /// How many bytes TCP's options take of what is announced or set as the size (MSS).
    pub options: u32,
    /// Whether it is only possible, and nothing suggests it: then it is not looked into unasked.
    pub is_weak: bool,
}

/// A way between the client and the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// That of the message.
    There,
    /// That of the reply.
    Back,
}
