//! The harness of the black-box tests: programs are started, spoken to and ended, and none
//! outlives its test.
//!
//! Everything waits for an event (a line, an end), with a limit that turns a hang into a
//! failure. Nothing sleeps.

// A test fails by panicking, so the lints that forbid panics do not fit here. Nor does
// missing_docs: the names of most methods say enough.
#![allow(clippy::expect_used, clippy::panic, missing_docs)]

pub mod counted;
mod events;
pub mod help;
pub mod hosts;
mod inherited;
mod manager;
pub mod mistakes;
pub mod page;
mod peers;
mod program;
mod reaped;
mod server;
mod terminal;
mod unit;

pub use events::{Event, documented};
pub use inherited::{NamelessFile, with_blocked};
pub use manager::ServiceManager;
pub use peers::{peer, python, quiet_command, skipped};
pub use program::{
    Finished, Running, contained, networked, run, run_command, run_with, run_with_input,
};
pub use reaped::PATIENCE;
pub use server::{Reader, Server};
pub use terminal::Terminal;
pub use unit::Unit;
