//! How a program ends: a failure becomes one line for the user and an exit
//! status, here and nowhere else.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::json::{self, Field};
use crate::options::Output;
use crate::printable::printable;
use crate::stdout::StandardOutput;
use crate::transcript::{Stamp, Style};

/// The exit statuses that are not zero. They are part of the command line's
/// contract: scripts tell the cases apart by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// It ran, and the outcome is not the one that was asked for.
    NotAsExpected = 1,
    /// The command line, or this machine, did not let it run.
    CouldNotRun = 2,
    /// It never was the one that was asked for, until the time was up: as
    /// timeout(1) has it.
    DeadlinePassed = 124,
}

/// Why a program ends with another status than zero.
///
/// Printed as `program: thing: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    status: Status,
    /// Both are empty where there is nothing more to say.
    thing: String,
    reason: String,
    /// Whether it was told as a JSON object already, where it is to be.
    is_object_told: bool,
}

impl Failure {
    /// The command line cannot be followed. Status 2.
    pub fn usage(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::CouldNotRun, &thing, &reason)
    }

    /// This machine does not let it be done. Status 2.
    pub fn local(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::CouldNotRun, &thing, &reason)
    }

    /// It was tried, and came out otherwise than hoped. Status 1; the line is
    /// left out under `-qq`.
    pub fn outcome(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::NotAsExpected, &thing, &reason)
    }

    /// It never came out as hoped, until the time was up. Status 124; the line
    /// is left out under `-qq`.
    pub fn deadline(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::DeadlinePassed, &thing, &reason)
    }

    /// Status 1 without a line: whoever closed standard output knows.
    #[must_use]
    pub fn unread() -> Self {
        Self::new(Status::NotAsExpected, &"", &"")
    }

    /// Whether it is that of [`Failure::unread`]: nothing more can be printed.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.reason.is_empty()
    }

    /// The same status, for a failure whose line was printed already.
    #[must_use]
    pub fn told(self) -> Self {
        Self { thing: String::new(), reason: String::new(), ..self }
    }

    /// The same, whose JSON object is written.
    #[must_use]
    pub fn object_told(self) -> Self {
        Self { is_object_told: true, ..self }
    }

    /// The same, with a reason that is safe to print as it is.
    #[cfg(feature = "probe")]
    #[must_use]
    pub(crate) fn with_safe_reason(self, reason: String) -> Self {
        Self { reason, ..self }
    }

    /// As a JSON object on a line of its own.
    pub(crate) fn object(&self, stamp: Stamp) -> String {
        let fields = [
            ("thing", Field::Text(self.thing.clone())),
            ("reason", Field::Text(self.reason.clone())),
            ("exit_status", Field::Number(self.status as u64)),
        ];
        json::object("failure", stamp.time(), &fields)
    }

    fn new(status: Status, thing: &dyn fmt::Display, reason: &dyn fmt::Display) -> Self {
        // A thing may be the user's own words: they reach the terminal too.
        let safe = |text: &dyn fmt::Display| printable(text.to_string().as_bytes()).to_string();
        Self { status, thing: safe(thing), reason: safe(reason), is_object_told: false }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.thing, self.reason)
    }
}

/// The last step of each `main`: says why, where there is something to say,
/// and gives the exit status.
pub fn report(program: &str, result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    say(program, &failure);
    ExitCode::from(failure.status as u8)
}

/// Whether nothing at all is to be printed (`-qq`).
static SILENT: AtomicBool = AtomicBool::new(false);

/// From now on outcomes are told by the exit status alone.
pub(crate) fn be_silent() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Whether failures are told as JSON objects too (`--json`), and those with
/// the time.
static JSON: AtomicBool = AtomicBool::new(false);
static STAMPED: AtomicBool = AtomicBool::new(false);

/// From now on a failure is told as `output` has it: as JSON on standard output,
/// where the events are, and still in words on standard error, stamped or not.
pub fn tell_as(output: Output) {
    JSON.store(output.style() == Style::Json, Ordering::Relaxed);
    STAMPED.store(output.stamp().0, Ordering::Relaxed);
}

/// Writes `program: failure` to standard error. Under `-qq` only what could
/// not run is told; the rest is in the exit status.
pub fn say(program: &str, failure: &Failure) {
    let is_silenced = failure.status != Status::CouldNotRun && SILENT.load(Ordering::Relaxed);
    if failure.reason.is_empty() || is_silenced {
        return;
    }
    let stamp = Stamp(STAMPED.load(Ordering::Relaxed));
    // Where an output is closed there is nobody left to tell.
    let _ = io::stderr().write_all(format!("{stamp}{program}: {failure}\n").as_bytes());
    let is_object_due = JSON.load(Ordering::Relaxed) && !failure.is_object_told;
    if is_object_due && has_room(io::stdout().as_fd()) {
        let object = failure.object(stamp);
        let _ = StandardOutput::open().and_then(|mut out| out.write_all(object.as_bytes()));
    }
}

/// Whether a line can be written without waiting for a reader: poll(2), and
/// pipe(7), which takes 4096 bytes whole or not at all.
pub(crate) fn has_room(output: BorrowedFd<'_>) -> bool {
    let mut output = [PollFd::new(output, PollFlags::POLLOUT)];
    poll(&mut output, PollTimeout::ZERO).is_ok()
        && output[0].revents().is_some_and(|events| events.contains(PollFlags::POLLOUT))
}

/// The system's reason in the user's words: `connection refused`, rather than
/// `Connection refused (os error 111)`.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.trim_start_matches("failed to lookup address information: ");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "unknown error".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_plain_words() {
        for (error, words) in [
            (io::Error::from_raw_os_error(111), "connection refused"),
            (io::Error::from_raw_os_error(98), "address already in use"),
            (
                io::Error::other("failed to lookup address information: Name or service not known"),
                "name or service not known",
            ),
            (io::Error::other(""), "unknown error"),
        ] {
            assert_eq!(reason(&error), words);
        }
    }

    #[test]
    fn a_failure_cannot_carry_an_escape_sequence() {
        let failure = Failure::usage("\x1b[31m", "unknown\noption");
        assert_eq!(failure.to_string(), r"\x1b[31m: unknown\noption");
    }
}
