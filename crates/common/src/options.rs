//! The options that all four programs have, and the parsing of a command line
//! into one line of error at most.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser};
use log::LevelFilter;

use crate::exit::Failure;

/// How much is printed, and whether with the time.
#[derive(Args, Clone, Copy, Debug)]
pub struct Output {
    /// Print warnings only; twice: nothing
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "verbose", display_order = 100)]
    quiet: u8,

    /// Print what happens in more detail
    #[arg(short, long, action = clap::ArgAction::Count, display_order = 101)]
    verbose: u8,

    /// Begin each line with the time (RFC 3339, UTC, milliseconds)
    #[arg(short = 'D', long, display_order = 102)]
    pub timestamps: bool,
}

impl Output {
    /// The level that `-q` and `-v` ask for; `RUST_LOG` may override it.
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

/// Parses this process's command line.
///
/// `--help` and `--version` are answered here, and end the process.
///
/// # Errors
/// One line that says what could not be understood, with the nearest option
/// where there is one.
pub fn parse<T: Parser>() -> Result<T, Failure> {
    T::try_parse().map_err(|error| match error.kind() {
        // A help that nobody could read is no success.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            std::process::exit(i32::from(error.print().is_err()))
        }
        _ => in_one_line(&error),
    })
}

fn in_one_line(error: &clap::Error) -> Failure {
    let context = |kind| error.get(kind).map(ToString::to_string);
    let thing = context(ContextKind::InvalidArg).unwrap_or_else(|| "command line".to_owned());
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let hint = match error.get(ContextKind::SuggestedArg) {
                Some(near @ ContextValue::String(_)) => format!(" (did you mean {near}?)"),
                _ => " (see --help)".to_owned(),
            };
            let what = if thing.starts_with('-') { "unknown option" } else { "unexpected word" };
            Failure::usage(thing, what.to_owned() + &hint)
        }
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            Failure::usage(thing, format!("cannot be used with {other}"))
        }
        ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            let reason = std::error::Error::source(error).map(ToString::to_string);
            Failure::usage(value, reason.unwrap_or_else(|| format!("not a value for {thing}")))
        }
        ErrorKind::InvalidValue
            if context(ContextKind::InvalidValue).is_none_or(|v| v.is_empty()) =>
        {
            Failure::usage(thing, "needs a value")
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Failure::usage(thing, first.trim_start_matches("error: "))
        }
    }
}
