//! How the outcome of a probe is printed, and whether it is the expected one.
//!
//! - [`text`]: for people; [`json`]: as objects.
//! - [`run_report`]: a run, as it goes and in the end; [`summary`]: what a run came to;
//!   [`bars`]: the distribution of its times; [`progress`]: how far it has come.

pub mod bars;
pub mod json;
pub mod progress;
pub mod run_report;
pub mod summary;
pub mod text;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use clap::Args;
use log::LevelFilter;

use crate::address::Address;
use crate::exit::Failure;
use crate::options::{Text, text as text_of};
use crate::output::stdout::{StandardOutput, has_room};
use crate::output::{Output, Style};
use crate::printable::message;
use crate::probe::interrupt::mortal;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Outcome};
use crate::protocol::{BUFFER_SIZE, MAX_DATAGRAM};

/// The options that say what is expected, and how it is reported.
#[derive(Args, Clone, Debug)]
pub struct Reporting {
    /// What counts as success
    #[arg(long, value_name = "VERDICT", default_value_t = Verdict::Ok, display_order = 10)]
    expect: Verdict,

    /// The expected reply; another one is wrong-reply
    #[arg(
        long, value_name = "TEXT", value_parser = text_of(MAX_DATAGRAM), allow_hyphen_values = true,
        display_order = 11,
    )]
    expect_reply: Option<Text>,

    /// How the client prints.
    #[command(flatten)]
    pub output: Output,
}

impl Reporting {
    /// The expected reply, if only one counts.
    #[must_use]
    pub fn expected_reply(&self) -> Option<&[u8]> {
        self.expect_reply.as_ref().map(|text| text.0.as_slice())
    }
}

/// Reports the probes of one target.
#[derive(Clone, Debug)]
pub struct Reporter {
    target: Address,
    expected: Verdict,
    output: Output,
}

impl Reporter {
    /// Reports the probes of `target` as `reporting` has it.
    #[must_use]
    pub fn new(target: Address, reporting: &Reporting) -> Self {
        Self { target, expected: reporting.expect, output: reporting.output }
    }

    /// The level from which on something is printed.
    #[must_use]
    pub fn level(&self) -> LevelFilter {
        self.output.level()
    }

    /// Whether this is the expected outcome.
    #[must_use]
    pub fn is_expected(&self, outcome: &Outcome) -> bool {
        outcome.verdict() == self.expected
    }

    /// Reports a single exchange. A reply, or an expected failure, goes to standard
    /// output; anything else is the failure that this function returns.
    ///
    /// # Errors
    /// The outcome is not the expected one, or standard output takes no more.
    pub fn exchange(&self, ended: &Ended) -> Result<(), Failure> {
        let is_expected = self.is_expected(&ended.last);
        self.print(ended, is_expected)?;
        if is_expected {
            return Ok(());
        }
        let failure = match ended.last.verdict() {
            Verdict::Local => Failure::local(&self.target, ""),
            _ => Failure::outcome(&self.target, ""),
        };
        Err(in_words(failure, text::failure(&self.target, ended, self.expected)))
    }

    /// Reports an exchange with the expected outcome, which proves nothing: the deadline
    /// cut it short, and with more time the outcome could have been another.
    ///
    /// # Errors
    /// Always: this is the failure; or standard output takes no more.
    pub fn cut_short(&self, ended: &Ended) -> Result<(), Failure> {
        self.print(ended, false)?;
        let failure = Failure::outcome(&self.target, "");
        Err(in_words(failure, text::cut_short(&self.target, ended)))
    }

    /// Reports the last of several exchanges, none of which had the expected outcome in
    /// all the time `after` which the client gives up.
    ///
    /// # Errors
    /// Always: this is the failure; or standard output takes no more.
    pub fn give_up(&self, ended: &Ended, after: Duration) -> Result<(), Failure> {
        self.print(ended, false)?;
        let words = if self.is_expected(&ended.last) {
            text::cut_short(&self.target, ended)
        } else {
            text::give_up(&self.target, ended, self.expected, after)
        };
        Err(in_words(Failure::deadline(&self.target, ""), words))
    }

    /// Prints what goes to standard output. Under `-q` that is nothing but the object of
    /// an exchange that did not come out as expected.
    fn print(&self, ended: &Ended, is_expected: bool) -> Result<(), Failure> {
        let is_object = self.output.style() == Style::Json;
        let least = if is_object && !is_expected { LevelFilter::Warn } else { LevelFilter::Info };
        if self.level() < least {
            return Ok(());
        }
        let stamp = self.output.stamp();
        if is_object {
            print(&json::probe(&self.target, ended, stamp))
        } else if let Ok(reply) = &ended.last.result {
            print_reply(reply, self.output)
        } else if is_expected {
            print(&format!("{stamp}{}: {}\n", self.target, text::words(&self.target, ended)))
        } else {
            Ok(())
        }
    }
}

/// A failure whose object is written, in words that are safe to print.
fn in_words(failure: Failure, words: String) -> Failure {
    failure.with_printable_reason(words).object_written()
}

/// Prints a reply and a newline to standard output: as it came if that is a file or a
/// pipe, safely if it is a terminal.
fn print_reply(reply: &[u8], output: Output) -> Result<(), Failure> {
    let mut line = output.stamp().to_string().into_bytes();
    if io::stdout().is_terminal() {
        line.extend_from_slice(message(reply, BUFFER_SIZE).to_string().as_bytes());
    } else {
        line.extend_from_slice(reply);
    }
    line.push(b'\n');
    let written = StandardOutput::open().and_then(|mut out| out.write_all(&line));
    written.map_err(|_| Failure::unread())
}

/// What a pipe takes at once if it has room: pipe(7), `PIPE_BUF`.
const AT_ONCE: usize = 4096;

/// Writes to standard output. If nobody is reading, a signal ends the process while it
/// waits: there is no summary that anybody would see.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let write = || StandardOutput::open().and_then(|mut out| out.write_all(text.as_bytes()));
    let is_quick = text.len() <= AT_ONCE && has_room(io::stdout().as_fd());
    let written = if is_quick { write() } else { mortal(write) };
    written.map_err(|_| Failure::unread())
}
