//! The lines that a program prints about what it does: [`log`] takes them,
//! env_logger formats them, and they go
//!
//! - from a server to standard output, through an outbox that never makes the
//!   event loop wait for a reader;
//! - from a client to standard error, for its standard output is the reply.
//!
//! A record may have several lines (a datagram's has two); it is never torn
//! apart. With `--timestamps` each line begins with the time.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::time::SystemTime;

use env_logger::{Builder, Target};

use crate::exit::{self, Failure, reason};
use crate::json::{self, Field};
use crate::options::Output;
use crate::outbox::Outbox;
use crate::shutdown::Shutdown;
use crate::stdout::StandardOutput;

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As a line for people (a datagram has two).
    Text,
    /// As a JSON object (`--json`).
    Json,
}

/// A server's transcript. Dropped, it writes out what is left, for which it
/// waits a second at most.
#[derive(Debug)]
pub struct Transcript {
    outbox: Outbox,
    style: Style,
    stamp: Stamp,
}

impl Transcript {
    /// Sets up logging to standard output. When its reader goes away for good
    /// (a broken pipe), `shutdown` is requested; any other trouble with it
    /// costs lines, which are counted, but not the service.
    ///
    /// # Errors
    /// Says what is wrong with `RUST_LOG`, or that no thread can be started.
    pub fn start(options: Output, shutdown: Shutdown) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::local("standard output", reason(&error));
        let out = StandardOutput::open().map_err(failed)?;
        let (style, stamp) = (options.style(), options.stamp());
        let notice = move |lines: u64| {
            if style == Style::Json {
                return json::object("missing", stamp.time(), &[("lines", Field::Number(lines))]);
            }
            let (s, are) = if lines == 1 { ("", "is") } else { ("s", "are") };
            format!("{stamp}[!] {lines} line{s} {are} missing here, which could not be written\n")
        };
        let on_broken_pipe = move || shutdown.request();
        let outbox = Outbox::start(out, notice, on_broken_pipe).map_err(failed)?;
        log_to(Target::Pipe(Box::new(outbox.clone())), options, style)?;
        Ok(Self { outbox, style, stamp })
    }

    /// Lets the lines written so far go out. A loop calls it once a turn,
    /// before it waits.
    pub fn publish(&self) {
        self.outbox.publish();
    }

    /// The last line, where there is one to be: with `--json` a failure is an
    /// object among the others, and only in words on standard error from here.
    ///
    /// # Errors
    /// Hands `outcome` on.
    pub fn end(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        if self.style == Style::Text {
            return outcome;
        }
        outcome.map_err(|failure| {
            if log::max_level() > log::LevelFilter::Off {
                // The outbox takes what there is room for, and counts the rest.
                let _ = self.outbox.write_all(failure.object(self.stamp).as_bytes());
            }
            failure.object_told()
        })
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

/// Sets up a client's logging, to standard error.
///
/// # Errors
/// Says what is wrong with `RUST_LOG`.
pub fn to_stderr(options: Output) -> Result<(), Failure> {
    log_to(Target::Stderr, options, Style::Text)
}

fn log_to(target: Target, options: Output, style: Style) -> Result<(), Failure> {
    let mut builder = Builder::new();
    builder.filter_level(options.level());
    if let Some(filters) = env::var_os("RUST_LOG").filter(|filters| !filters.is_empty()) {
        let filters = filters.to_string_lossy();
        // env_logger itself would print a warning of its own kind, and go on.
        env_filter::Builder::new()
            .try_parse(&filters)
            .map_err(|_| Failure::usage("RUST_LOG", format!("not a filter: {filters}")))?;
        builder.parse_filters(&filters);
    }
    let stamp = options.stamp();
    builder
        .format(move |out, record| {
            if style == Style::Json {
                return json::write(out, record, stamp.time());
            }
            if !stamp.0 {
                return writeln!(out, "{}", record.args());
            }
            let record = record.args().to_string();
            for line in record.split('\n') {
                writeln!(out, "{stamp}{line}")?;
            }
            Ok(())
        })
        .target(target)
        .try_init()
        .map_err(|error| Failure::local("log", error))?;
    if log::max_level() == log::LevelFilter::Off {
        exit::be_silent();
    }
    Ok(())
}

/// The beginning of a line: the time and a space, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Stamp(
    /// Whether lines are stamped (`--timestamps`).
    pub bool,
);

impl Stamp {
    /// The time, RFC 3339 in UTC; or none.
    pub(crate) fn time(self) -> Option<String> {
        self.0.then(|| humantime::format_rfc3339_millis(SystemTime::now()).to_string())
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.time().map_or(Ok(()), |time| write!(f, "{time} "))
    }
}
