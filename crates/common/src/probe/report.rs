//! How the outcome of a probe is printed, and whether it is the expected one.
//!
//! - `text`: for people; `json`: as objects.
//! - `run_report`: a run, as it goes and in the end; `summary`: the figures of a run;
//!   `remarks`: what has to be said with them; `bars`: the distribution of its times;
//!   `progress`: how far it has come.
//! - `way`: the way of a probe that was traced.
//! - `backlog`: lines on their way to standard output; `exposition`, `export`: the figures for
//!   Prometheus, and the file that has them.

pub(crate) mod backlog;
pub(crate) mod bars;
pub(crate) mod export;
pub(crate) mod exposition;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod remarks;
pub(crate) mod run_report;
pub(crate) mod summary;
pub(crate) mod text;
pub(crate) mod way;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::Duration;

use clap::Args;
use log::{LevelFilter, info, warn};

use crate::address::Address;
use crate::exit::{self, Failure};
use crate::options::{Text, text as text_of};
use crate::output::stdout::has_room;
use crate::output::{Output, Style};
use crate::printable::{framed, printable};
use crate::probe::examination::{Wanted, When};
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::expected::Expected;
use crate::probe::outcome::expected_reply::ExpectedReply;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::report::backlog::Backlog;
use crate::probe::report::summary::Probed;
use crate::probe::verbose;
use crate::protocol::{BUFFER_SIZE, MAX_DATAGRAM};
use crate::{checked, taken};

/// The options that say what is expected, and how it is reported.
#[derive(Args, Clone, Debug)]
// Nobody refers to the group of these options, whose making costs some 300 bytes: so it is with the
// other options, too.
#[group(skip)]
pub struct Reporting {
    /// What counts as success; several: refused,timeout
    #[arg(long, value_name = "VERDICT", default_value = "ok", value_parser = checked!(str::parse::<Expected>), display_order = 10)]
    expect: Expected,

    /// The expected reply; another one is wrong-reply
    #[arg(
        long, value_name = "TEXT", value_parser = text_of(MAX_DATAGRAM), allow_hyphen_values = true,
        display_order = 11,
    )]
    expect_reply: Option<Text>,

    /// What the reply begins with; another one is wrong-reply
    #[arg(
        long, value_name = "TEXT", value_parser = text_of(MAX_DATAGRAM), allow_hyphen_values = true,
        conflicts_with = "expect_reply", display_order = 11,
    )]
    expect_prefix: Option<Text>,

    /// If a probe fails, ask router after router how far it gets
    #[arg(
        long, value_name = "WHEN", value_parser = text_of(MAX_DATAGRAM), num_args = 0..=1,
        require_equals = true, default_missing_value = "failure", display_order = 14,
    )]
    // Of the same type as other options, which makes the program smaller.
    trace: Option<Text>,

    /// How the client prints.
    #[command(flatten)]
    pub output: Output,
}

taken!(Reporting { expect, expect_reply, expect_prefix, trace, output });

impl Reporting {
    /// Checks that what is expected of an exchange with `target` can come. `never` lists the
    /// verdicts that the protocol does not have, with the reason.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(&self, target: &Address, never: &[(Verdict, &str)]) -> Result<(), Failure> {
        if let (Some(Text(when)), None) = (&self.trace, self.trace()) {
            let option = format!("--trace={}", String::from_utf8_lossy(when));
            return Err(Failure::usage(option, "write --trace=failure or --trace=always"));
        }
        let has_expected_reply = self.expect_reply.is_some() || self.expect_prefix.is_some();
        self.expect.check(target, has_expected_reply, never)
    }

    /// Which probes are traced, if any are.
    fn trace(&self) -> Option<When> {
        self.trace.as_ref().and_then(|Text(when)| When::parse(when))
    }

    /// What a reply is expected to be.
    #[must_use]
    pub fn expected_reply(&self) -> ExpectedReply<'_> {
        match (&self.expect_reply, &self.expect_prefix) {
            (Some(whole), _) => ExpectedReply::Whole(&whole.0),
            (None, Some(prefix)) => ExpectedReply::Prefix(&prefix.0),
            (None, None) => ExpectedReply::Any,
        }
    }
}

/// Reports the probes of one target.
#[derive(Clone, Debug)]
pub struct Reporter {
    program: &'static str,
    target: Address,
    expected: Expected,
    trace: Option<When>,
    output: Output,
    /// How many bytes of the message are padding.
    padding: u64,
}

impl Reporter {
    /// Reports the probes that `program` makes of `target`, as `reporting` asks.
    #[must_use]
    pub fn new(program: &'static str, target: Address, reporting: &Reporting) -> Self {
        let (expected, trace, output) = (reporting.expect, reporting.trace(), reporting.output);
        Self { program, target, expected, trace, output, padding: 0 }
    }

    /// The same, of a message of which `padding` bytes are padding.
    #[must_use]
    pub fn with_padding(self, padding: u64) -> Self {
        Self { padding, ..self }
    }

    /// What is probed, and by what.
    pub(crate) fn probed(&self) -> Probed<'_> {
        Probed { program: self.program, target: &self.target }
    }

    /// Which probes are examined once they have ended, if any are.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        Some(Wanted::new(self.trace, self.expected))
    }

    /// The level that `-q` and `-v` ask for.
    #[must_use]
    pub fn level(&self) -> LevelFilter {
        self.output.level()
    }

    /// Whether `outcome` is the expected one. A resolver that does not answer says nothing
    /// about the name, and so does not prove that it is `unresolved`.
    #[must_use]
    #[inline(never)]
    pub fn is_expected(&self, outcome: &Outcome) -> bool {
        self.expected.contains(outcome.verdict()) && outcome.cause() != Some(Cause::NoResolver)
    }

    /// Reports a single exchange. Prints a reply or an expected failure to standard
    /// output. Returns any other outcome than the expected one as a failure.
    ///
    /// # Errors
    /// The outcome is not the expected one, or standard output takes no more.
    pub fn exchange(&self, ended: &Ended) -> Result<(), Failure> {
        let is_expected = self.is_expected(&ended.last);
        self.print(ended, is_expected)?;
        if ended.last.result.is_ok() && !ended.others.is_empty() {
            let words = text::others(&self.target, ended);
            warn!("{}: {}: {words}", self.program, self.target);
        }
        for rewriting in ended.last.rewritings().iter().flatten() {
            warn!("{}: {}: {rewriting}", self.program, self.target);
        }
        self.judge(ended)
    }

    /// Returns any other outcome than the expected one as a failure, and prints nothing.
    ///
    /// # Errors
    /// The outcome is not the expected one.
    pub fn judge(&self, ended: &Ended) -> Result<(), Failure> {
        if self.is_expected(&ended.last) {
            return Ok(());
        }
        let failure = match ended.last.verdict() {
            Verdict::Local => Failure::local(&self.target, ""),
            _ => Failure::outcome(&self.target, ""),
        };
        Err(in_words(failure, text::failure(&self.target, ended, self.expected)))
    }

    /// Reports an exchange that had the expected outcome only because the deadline cut it
    /// short: with more time the outcome could have been different.
    ///
    /// # Errors
    /// Always: the failure to report, or standard output takes no more.
    pub fn cut_short(&self, ended: &Ended) -> Result<(), Failure> {
        self.print(ended, false)?;
        let failure = Failure::outcome(&self.target, "");
        Err(in_words(failure, text::cut_short(&self.target, ended)))
    }

    /// Reports the last of several exchanges. The client gives up after `elapsed`, because
    /// none had the expected outcome (or only because the deadline cut it short).
    ///
    /// # Errors
    /// Always: the failure to report, or standard output takes no more.
    pub fn give_up(&self, ended: &Ended, elapsed: Duration) -> Result<(), Failure> {
        self.print(ended, false)?;
        let words = if self.is_expected(&ended.last) {
            text::cut_short(&self.target, ended)
        } else {
            text::give_up(&self.target, ended, self.expected, elapsed)
        };
        Err(in_words(Failure::deadline(&self.target, ""), words))
    }

    /// `tcp-client: box:22: refused (a reset came back)`: why an exchange did not come out as
    /// expected.
    #[must_use]
    pub fn words(&self, ended: &Ended) -> String {
        let words = text::failure(&self.target, ended, self.expected);
        format!("{}: {}: {words}", self.program, self.target)
    }

    /// Reports the last of several exchanges, if one has ended. A signal has ended the client
    /// after `elapsed`. The failure has been said.
    pub(crate) fn interrupted(&self, last: Option<&Ended>, elapsed: Duration) -> Failure {
        let Some(ended) = last else {
            return Failure::outcome(&self.target, "interrupted").said();
        };
        // Whoever interrupts the client need not read what it prints. The signal has been taken
        // already, and would not end a wait.
        if has_room(io::stderr().as_fd()) {
            self.warn_of_the_rest(ended);
        }
        let _ = self.print_by(Backlog::write, ended, false);
        let words = text::give_up(&self.target, ended, self.expected, elapsed) + ", interrupted";
        let failure = in_words(Failure::outcome(&self.target, ""), words);
        if has_room(io::stderr().as_fd()) {
            exit::say(self.program, self.output, &failure, || {});
        }
        failure.said()
    }

    /// Says why a run fails, before its summary. With `-qq` the summary is its only object.
    pub(crate) fn say(&self, failure: &Failure) {
        let failure = failure.clone();
        let is_printed = self.level() >= LevelFilter::Warn;
        let failure = if is_printed { failure } else { failure.without_object() };
        exit::say(self.program, self.output, &failure, verbose::wait_for_room);
    }

    /// Prints what goes to standard output. With `-q` and `-qq` that is only the object of an
    /// exchange that did not come out as expected.
    fn print(&self, ended: &Ended, is_expected: bool) -> Result<(), Failure> {
        self.warn_of_the_rest(ended);
        self.show_way(ended);
        self.print_by(Backlog::flush, ended, is_expected)
    }

    /// Says that a reply was longer than what is printed of it.
    fn warn_of_the_rest(&self, ended: &Ended) {
        let is_said = self.output.style() == Style::Text && self.level() >= LevelFilter::Info;
        let is_cut = ended.last.complete == Some(false);
        if let Some(reply) = ended.last.reply_bytes().filter(|_| is_said && is_cut) {
            let (program, target, len) = (self.program, &self.target, reply.len());
            warn!("{program}: {target}: longer than {len} bytes: the rest was not read");
        }
    }

    /// Shows the way of a probe that was traced, on standard error: so standard output stays the
    /// reply alone.
    fn show_way(&self, ended: &Ended) {
        let path = ended.findings.as_ref().and_then(|findings| findings.trace.as_ref());
        if let Some(path) = path.filter(|_| self.output.style() == Style::Text) {
            let lines = way::lines(path, "\n");
            info!("{}: {}: {lines}", self.program, self.target);
        }
    }

    /// Prints the same by `write`, which waits for the reader or does not.
    fn print_by(&self, write: Write, ended: &Ended, is_expected: bool) -> Result<(), Failure> {
        let is_object = self.output.style() == Style::Json;
        let least = if is_object && !is_expected { LevelFilter::Off } else { LevelFilter::Info };
        if self.level() < least {
            return Ok(());
        }
        let stamp = self.output.stamp();
        if is_object {
            print(write, json::probe(self.probed(), self.padding, ended, stamp).as_bytes())
        } else if let Some(reply) = ended.last.reply_bytes() {
            print_reply(write, reply, self.output)
        } else if is_expected && ended.last.result.is_err() {
            let words = text::words(&self.target, ended);
            print(write, format!("{stamp}{}: {words}\n", self.target).as_bytes())
        } else {
            Ok(())
        }
    }
}

/// The same failure, in `words` that are safe to print. Its object has been written.
#[inline(never)]
fn in_words(failure: Failure, words: String) -> Failure {
    failure.with_printable_reason(words).without_object()
}

/// What other lines of a client begin with, on the same terminal as a reply: those of `-v`, the
/// prompt, and those that say what failed.
const BEGINNINGS: &[&str] = &["[*]", "> ", "tcp-client:", "udp-client:"];

/// Prints a reply and a newline to standard output. A file or a pipe gets the reply as it
/// came, a terminal gets it as safe text that does not look like another line of ours.
fn print_reply(write: Write, reply: &[u8], output: Output) -> Result<(), Failure> {
    let mut line = output.stamp().to_string().into_bytes();
    if io::stdout().is_terminal() {
        let shown = &reply[..reply.len().min(BUFFER_SIZE)];
        let text = printable(shown).to_string();
        let text = framed::alone(&text, shown.len(), reply.len(), BEGINNINGS).to_string();
        line.extend_from_slice(text.as_bytes());
    } else {
        line.extend_from_slice(reply);
    }
    line.push(b'\n');
    print(write, &line)
}

/// How lines are written: all of them, or as much as standard output takes at once.
type Write = fn(&mut Backlog) -> Result<(), Failure>;

/// Writes to standard output.
fn print(write: Write, line: &[u8]) -> Result<(), Failure> {
    let mut backlog = Backlog::default();
    backlog.push_bytes(line)?;
    write(&mut backlog)
}
