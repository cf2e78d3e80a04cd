//! Probing: what the two clients make of what comes back, and of what does
//! not.
//!
//! Nothing here has a socket or reads a clock.
//!
//! - [`verdict`]: what became of an exchange, in one word.
//! - [`trouble`]: why it came to nothing; [`icmp`]: what ICMP says.
//! - [`outcome`]: what came of a probe; [`report`]: how it is told.

pub mod icmp;
pub mod outcome;
pub mod report;
pub mod trouble;
pub mod verdict;
