//! How a program prints: how much, as text or as JSON, with the time or without.
//!
//! - [`json`]: events and results as JSON objects.
//! - `stdout`, `stderr`: standard output and error that take everything, or return an error.
//!
//! Whatever prints imports this module, and this module imports nothing that prints.

pub mod json;
pub(crate) mod stderr;
pub(crate) mod stdout;

use std::fmt;
use std::time::SystemTime;

use clap::Args;
use log::LevelFilter;

use crate::taken;

/// The options that say how much is printed, and how.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(skip)]
pub struct Output {
    /// Print warnings only; twice: nothing
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "verbose", display_order = 100)]
    quiet: u8,

    /// Print more of what happens
    #[arg(short, long, action = clap::ArgAction::Count, display_order = 101)]
    verbose: u8,

    /// Begin each line with the time (RFC 3339, UTC)
    #[arg(short = 'D', long, display_order = 102)]
    timestamps: bool,

    /// Print JSON, an object a line
    #[arg(short = 'J', long, display_order = 103)]
    json: bool,
}

taken!(Output { quiet, verbose, timestamps, json });

impl Output {
    /// How events and results are written.
    #[must_use]
    pub fn style(self) -> Style {
        if self.json { Style::Json } else { Style::Text }
    }

    /// What each line begins with.
    #[must_use]
    pub fn stamp(self) -> Stamp {
        Stamp(self.timestamps)
    }

    /// The level that `-q` and `-v` ask for. `RUST_LOG` may override it.
    #[must_use]
    pub fn level(self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (0, 0) => LevelFilter::Info,
            (0, _) => LevelFilter::Debug,
            (1, _) => LevelFilter::Warn,
            (2.., _) => LevelFilter::Off,
        }
    }
}

/// How an event or a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As a line for people (a datagram has two).
    Text,
    /// As a JSON object (`--json`).
    Json,
}

/// The beginning of a line: the time and a space, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Stamp(
    /// Whether lines begin with the time (`--timestamps`).
    pub bool,
);

impl Stamp {
    /// The time now, if lines begin with it.
    #[must_use]
    pub fn time(self) -> Option<Time> {
        self.0.then(|| rfc3339(SystemTime::now()))
    }
}

/// A time of the wall clock, to be printed.
#[must_use]
pub fn rfc3339(time: SystemTime) -> Time {
    humantime::format_rfc3339_millis(time)
}

/// A time that prints in RFC 3339 and UTC, with milliseconds.
pub type Time = humantime::Rfc3339Timestamp;

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.time().map_or(Ok(()), |time| write!(f, "{time} "))
    }
}
