//! Parsing a command line: a value, or an error in one line.

pub mod guide;

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::Parser;
use clap::builder::{OsStringValueParser, StringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::Failure;
use crate::options::guide::Guide;

/// A text from the command line, byte for byte. It need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub Vec<u8>);

/// A parser of texts of at most `limit` bytes.
pub fn text(limit: usize) -> impl TypedValueParser<Value = Text> {
    OsStringValueParser::new().try_map(move |text| {
        let bytes = text.into_vec();
        if bytes.len() <= limit {
            Ok(Text(bytes))
        } else {
            Err(format!("{} bytes long, and the most is {limit}", bytes.len()))
        }
    })
}

/// A parser of whole numbers from `least` to `most`.
pub fn number(least: u64, most: u64) -> impl TypedValueParser<Value = u64> {
    StringValueParser::new().try_map(move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if most == u64::MAX => Err(format!("not a whole number from {least} on")),
        _ => Err(format!("not a whole number from {least} to {most}")),
    })
}

/// The most columns of a help text. Longer lines are hard to follow with the eyes.
const WIDEST_HELP: usize = 100;

/// Parses this process's command line.
///
/// `-h`, `--help` (which has all of `guide`) and `--version` are answered here, and end the
/// process. A help text is as wide as the terminal.
///
/// # Errors
/// Says in one line what could not be understood, with the nearest option if there is one.
pub fn parse<T: Parser>(guide: &Guide) -> Result<T, Failure> {
    let words: Vec<OsString> = env::args_os().collect();
    let is_long = words.iter().any(|word| word == "--help");
    let mut command = T::command().max_term_width(WIDEST_HELP).after_help(guide.text(is_long));
    let parsed = command.try_get_matches_from_mut(words);
    parsed.and_then(|found| T::from_arg_matches(&found)).map_err(|error| match error.kind() {
        // A help text that could not be printed is no success.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            std::process::exit(i32::from(error.print().is_err()))
        }
        _ => in_one_line(&error),
    })
}

fn in_one_line(error: &clap::Error) -> Failure {
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
