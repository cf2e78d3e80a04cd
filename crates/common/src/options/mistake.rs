//! What is said to somebody whose command line cannot be understood: one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::Failure;

/// What is wrong with the command line, with the nearest option if there is one.
pub(super) fn in_one_line(error: &clap::Error) -> Failure {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let option = shortened(bare(&context(ContextKind::InvalidArg)));
    let value = context(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let hint = match error.get(ContextKind::SuggestedArg) {
                Some(near @ ContextValue::String(_)) => format!("did you mean {near}?"),
                _ => "see --help".to_owned(),
            };
            let what = if option.starts_with('-') { "unknown option" } else { "unexpected word" };
            Failure::usage(option, format!("{what} ({hint})"))
        }
        ErrorKind::ArgumentConflict => {
            let other = bare(&context(ContextKind::PriorArg));
            Failure::usage(option, format!("cannot be used with {other}"))
        }
        ErrorKind::InvalidValue if value.is_empty() => Failure::usage(option, "needs a value"),
        ErrorKind::TooManyValues => Failure::usage(option, "takes no value"),
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let value = shortened(value);
            let thing = if option.starts_with('-') { format!("{option} {value}") } else { value };
            let reason = reason.unwrap_or_else(|| "not a value for this".to_owned());
            Failure::usage(thing, shortened_to(LONGEST_REASON, reason))
        }
        _ => {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Failure::usage("command line", reason)
        }
    }
}

/// The name alone of an option that clap calls `--reply <TEXT>` or `--quiet...`.
fn bare(option: &str) -> String {
    let option = option.split(' ').next().unwrap_or_default();
    option.trim_end_matches("...").to_owned()
}

/// What the user wrote is cut short, so that the error stays one line on a terminal.
const LONGEST_VALUE: usize = 80;

/// A reason may list all the words that there are.
const LONGEST_REASON: usize = 160;

/// `value`, cut short; quoted if it is empty.
fn shortened(value: String) -> String {
    if value.is_empty() { "''".to_owned() } else { shortened_to(LONGEST_VALUE, value) }
}

fn shortened_to(most: usize, text: String) -> String {
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 3).chain("...".chars()).collect()
}
