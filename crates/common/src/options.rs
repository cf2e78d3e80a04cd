//! Parsing a command line: a value, or an error in one line.

pub mod guide;
mod mistake;

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::Parser;
use clap::builder::{OsStringValueParser, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;

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
        _ => mistake::in_one_line(&error),
    })
}
