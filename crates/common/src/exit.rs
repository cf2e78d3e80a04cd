//! How a program ends: a failure becomes one line for the user and an exit
//! status, here and nowhere else.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use log::LevelFilter;
use nix::sys::signal::{SigSet, Signal, raise};

use crate::output::json::{self, Field};
use crate::output::stderr;
use crate::output::stdout::{StandardOutput, has_room};
use crate::output::{Output, Stamp, Style};
use crate::printable::printable;

/// The exit statuses other than zero. They are part of the command line's
/// contract: scripts distinguish the cases by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// The program ran, but the outcome is not the expected one.
    NotAsExpected = 1,
    /// The program could not run: because of its command line, or of this machine.
    CouldNotRun = 2,
    /// No attempt had the expected outcome before the deadline passed. The number is
    /// the one that timeout(1) uses.
    DeadlinePassed = 124,
}

/// How long a server waits for somebody to read why it failed: as long as for the rest of its
/// transcript.
const LONGEST_SAYING: Duration = Duration::from_secs(1);

/// Why a program ends with a status other than zero. Printed as
/// `program: thing: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    status: Status,
    state: State,
    /// The signal that has ended the program, if one has. It counts, and not the status.
    signal: Option<Signal>,
    /// Whether standard output takes no more.
    is_unread: bool,
}

/// How much of a failure is still to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// All of it.
    Unsaid(Words),
    /// The line alone: with `--json`, an object has said the same already.
    LineOnly(Words),
    /// Nothing: all of it has been said.
    Said,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Words {
    thing: String,
    reason: String,
}

impl Failure {
    /// The command line cannot be followed. Status 2.
    pub fn usage(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::CouldNotRun, &thing, &reason)
    }

    /// Something on this machine prevents the work. Status 2.
    pub fn local(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::CouldNotRun, &thing, &reason)
    }

    /// The program ran, but the outcome is not the expected one. Status 1. With `-qq`
    /// there is no line.
    pub fn outcome(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::NotAsExpected, &thing, &reason)
    }

    /// No attempt had the expected outcome before the deadline passed. Status 124.
    /// With `-qq` there is no line.
    pub fn deadline(thing: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(Status::DeadlinePassed, &thing, &reason)
    }

    /// An event loop cannot be set up; or a client's loop cannot go on. Status 2.
    #[must_use]
    pub fn cannot_poll(error: &io::Error) -> Self {
        Self::local("event loop", reason(error))
    }

    /// A server's event loop cannot go on. Status 1.
    #[must_use]
    pub fn cannot_go_on(error: &io::Error) -> Self {
        Self::outcome("event loop", reason(error))
    }

    /// Standard output takes no more, because of `error`. Status 1. If its reader has gone,
    /// there is no line: whoever has closed it knows.
    #[must_use]
    pub fn unwritten(error: &io::Error) -> Self {
        let failure = Self::outcome("standard output", reason(error)).without_object();
        let is_closed = error.kind() == io::ErrorKind::BrokenPipe;
        let failure = if is_closed { failure.said() } else { failure };
        Self { is_unread: true, ..failure }
    }

    /// Whether this is [`Failure::unwritten`]: nothing more can be printed.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// A signal has ended the program, which has nothing to say about that.
    #[must_use]
    pub fn by_signal(signal: Signal) -> Self {
        Self::outcome("", "").said().ended_by(signal)
    }

    /// The signal that has ended the program, if one has.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        self.signal
    }

    /// The same failure. A signal has ended the program.
    #[must_use]
    pub fn ended_by(self, signal: Signal) -> Self {
        Self { signal: Some(signal), ..self }
    }

    /// The same failure, after all of it has been said.
    #[must_use]
    pub fn said(self) -> Self {
        Self { state: State::Said, ..self }
    }

    /// The same failure, of which only the line is still to be said: with `--json`, the
    /// caller has printed an object that says the same.
    #[must_use]
    pub fn without_object(self) -> Self {
        let state = match self.state {
            State::Unsaid(words) => State::LineOnly(words),
            state => state,
        };
        Self { state, ..self }
    }

    /// The same failure, with a reason that is safe to print as it is.
    #[must_use]
    pub fn with_printable_reason(mut self, reason: String) -> Self {
        if let State::Unsaid(words) | State::LineOnly(words) = &mut self.state {
            words.reason = reason;
        }
        self
    }

    /// The failure as a JSON object on a line of its own. `None` if the object has
    /// been written already, or if nothing is to be said.
    #[must_use]
    pub fn object(&self, stamp: Stamp) -> Option<String> {
        let State::Unsaid(Words { thing, reason }) = &self.state else {
            return None;
        };
        let fields = [
            ("thing", Field::Text(thing.clone())),
            ("reason", Field::Text(reason.clone())),
            ("exit_status", Field::Number(self.status as u64)),
        ];
        Some(json::object("failure", stamp.time(), &fields))
    }

    // Made in many places, and nowhere in a hurry.
    #[inline(never)]
    fn new(status: Status, thing: &dyn fmt::Display, reason: &dyn fmt::Display) -> Self {
        // Both may quote the command line, whose bytes may be unsafe on a terminal.
        let safe = |text: &dyn fmt::Display| printable(text.to_string().as_bytes()).to_string();
        let state = State::Unsaid(Words { thing: safe(thing), reason: safe(reason) });
        Self { status, state, signal: None, is_unread: false }
    }

    fn words(&self) -> Option<&Words> {
        match &self.state {
            State::Unsaid(words) | State::LineOnly(words) => Some(words),
            State::Said => None,
        }
    }
}

impl fmt::Display for Failure {
    /// `thing: reason`; empty if nothing is to be said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words().map_or(Ok(()), |Words { thing, reason }| write!(f, "{thing}: {reason}"))
    }
}

/// The last step of each `main`: prints why the program failed, unless that has
/// been said, and returns the exit status. Calls `wait` before a line is written, which may
/// have to wait for a reader.
pub fn report(
    program: &str,
    output: Output,
    result: Result<(), Failure>,
    wait: impl FnOnce(),
) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    say(program, output, &failure, wait);
    ExitCode::from(failure.signal.map_or(failure.status as u8, end_by))
}

/// The same for a server, whose end nobody may hold up: it waits for a reader no longer
/// than a second.
pub fn report_in_time(
    program: &'static str,
    output: Output,
    result: Result<(), Failure>,
) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    let status = ExitCode::from(failure.status as u8);
    let (said, is_said) = mpsc::channel::<()>();
    let spoken = failure.clone();
    // What an output is decides whether it can say in advance that it has room for a line. A
    // thread can always wait for that, and ends with the process.
    let speaker = thread::Builder::new().spawn(move || {
        say(program, output, &spoken, || {});
        drop(said);
    });
    match speaker {
        // Either the thread or the time has come to an end.
        Ok(_) => drop(is_said.recv_timeout(LONGEST_SAYING)),
        Err(_) if has_room(io::stderr().as_fd()) => say(program, output, &failure, || {}),
        Err(_) => {}
    }
    status
}

/// Ends the process by `signal`, as if it had never been caught, so that a shell ends its script,
/// too. A process may not end by that, because the signal was ignored when it was started, or
/// because the process is the first of a container (pid_namespaces(7)). Then this returns the exit
/// status by which shells say the same.
#[must_use]
pub fn end_by(signal: Signal) -> u8 {
    let _ = raise(signal);
    let _ = SigSet::from(signal).thread_unblock();
    128 + signal as u8
}

/// Writes `program: failure` to standard error. If nothing is logged (`-qq`), only a program
/// that could not run says so; of other failures people have the exit status. With `--json`,
/// also writes an object to standard output, where the events are. Calls `wait` before a line
/// is written, which may have to wait for a reader.
pub fn say(program: &str, output: Output, failure: &Failure, wait: impl FnOnce()) {
    if failure.words().is_none() {
        return;
    }
    let stamp = output.stamp();
    // Before logging is set up the level is off, but only status 2 occurs then.
    let is_silenced = failure.status != Status::CouldNotRun && log::max_level() == LevelFilter::Off;
    if !is_silenced {
        wait();
        // If an output is closed, nobody is left to read it.
        let _ = stderr::write_all(format!("{stamp}{program}: {failure}\n").as_bytes());
    }
    if output.style() != Style::Json {
        return;
    }
    if let Some(object) = failure.object(stamp).filter(|_| has_room(io::stdout().as_fd())) {
        let _ = StandardOutput.write_all(object.as_bytes());
    }
}

/// The system's reason without numbers and prefixes: `connection refused`, rather
/// than `Connection refused (os error 111)`.
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
    use nix::Error as Errno;

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

    #[test]
    fn each_part_of_a_failure_is_said_once() {
        let failure = Failure::outcome("box", "no-reply");
        let object = failure.object(Stamp(false)).unwrap();
        assert!(
            object.contains(r#""thing":"box","reason":"no-reply","exit_status":1"#),
            "{object}"
        );
        let line_only = failure.without_object();
        assert_eq!(
            (line_only.object(Stamp(false)), line_only.to_string()),
            (None, "box: no-reply".into())
        );
        assert_eq!(line_only.said().to_string(), "");
        for (errno, words) in
            [(Errno::EPIPE, ""), (Errno::EFBIG, "standard output: file too large")]
        {
            let failure = Failure::unwritten(&errno.into());
            assert_eq!((failure.to_string().as_str(), failure.is_unread()), (words, true));
        }
    }
}
