//! Probing: what the two clients make of what comes back, and of what does
//! not.
//!
//! Nothing here has a socket or reads a clock.
//!
//! - [`verdict`]: what became of an exchange, in one word.
//! - [`trouble`]: why it came to nothing; [`icmp`]: what ICMP says.
//! - [`outcome`]: what came of a probe; [`report`], [`object`]: how it is told.
//! - [`schedule`]: when probes are due; [`aim`]: where they go; [`source_port`]:
//!   what is a probe's reply, and what a stray.
//! - [`ledger`], [`times`], [`sightings`]: what became of all of them;
//!   [`summary`], [`bars`]: how that is told; [`progress`]: meanwhile.
//! - [`probing`]: the options; [`run`]: all of it together.

pub mod aim;
pub mod bars;
pub mod icmp;
pub mod ledger;
pub mod object;
pub mod outcome;
pub mod probing;
pub mod progress;
pub mod report;
pub mod run;
pub mod schedule;
pub mod sightings;
pub mod source_port;
pub mod summary;
pub mod telling;
pub mod times;
pub mod trouble;
pub mod verdict;
