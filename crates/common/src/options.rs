//! Parsing a command line: a value, or an error in one line.

pub mod foreign;
pub mod guide;
mod mistake;
pub mod taken;

use std::any::TypeId;
use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use clap::builder::{OsStringValueParser, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ArgMatches;
use clap::{Arg, Parser};

use crate::address::{Address, Host, Place};
use crate::duration;
use crate::exit::Failure;
use crate::kept;
use crate::options::guide::Guide;
use crate::options::taken::Taken;
use crate::percent::Percent;
use crate::port::{ParseOver, Port};
use crate::protocol::Transport;

/// A text from the command line, byte for byte. It need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub Vec<u8>);

/// Has values of a type taken that clap keeps as a text, by a function that parses whatever was
/// checked.
#[macro_export]
macro_rules! parsed {
    ($value:ty, $parse:expr) => {
        impl $crate::options::taken::Taken for $value {
            fn taken(matches: &mut clap::parser::ArgMatches, id: &str) -> Option<Self> {
                <Option<$value> as $crate::options::taken::Taken>::taken(matches, id)?
            }
        }

        impl $crate::options::taken::Taken for Option<$value> {
            fn taken(matches: &mut clap::parser::ArgMatches, id: &str) -> Option<Self> {
                let text: Option<$crate::options::Text> =
                    $crate::options::taken::value(matches, id);
                text.map_or(Some(None), |text| {
                    std::str::from_utf8(&text.0).ok().and_then(|text| $parse(text).ok()).map(Some)
                })
            }
        }
    };
}

kept!(Text, Place, Port);

parsed!(Duration, duration::parse_or_zero);
parsed!(Host, str::parse::<Host>);
parsed!(Percent, str::parse::<Percent>);
parsed!(u16, str::parse::<u16>);

/// `text`, which was `parsed` without an error.
///
/// # Errors
/// That of the parsing.
pub fn checked<T>(text: &str, parsed: Result<T, String>) -> Result<Text, String> {
    parsed.map(|_| Text(text.into()))
}

/// A parser of an option that checks its value by a function, and keeps the text.
#[macro_export]
macro_rules! checked {
    ($parse:expr) => {
        (|text: &str| $crate::options::checked(text, $parse(text)))
            as $crate::options::Parse<$crate::options::Text>
    };
}

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

/// A function that parses the value of an option. As a pointer: clap's code is then there once for
/// each type, and not for each function.
pub type Parse<T> = fn(&str) -> Result<T, String>;

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

/// `arg`, if its value has a port, with a parser that knows the services of `transport`.
fn parsing_over(transport: Transport, arg: Arg) -> Arg {
    fn parse<T: ParseOver>(transport: Transport, arg: Arg) -> Arg {
        arg.value_parser(move |text: &str| T::parse_over(transport, text))
    }
    match arg.get_value_parser().type_id() {
        id if id == TypeId::of::<Address>() => parse::<Address>(transport, arg),
        id if id == TypeId::of::<Place>() => parse::<Place>(transport, arg),
        id if id == TypeId::of::<Port>() => parse::<Port>(transport, arg),
        _ => arg,
    }
}

/// Parses this process's command line.
///
/// `-h`, `--help` (which has all of `guide`) and `--version` are answered here, and end the
/// process. A help text is as wide as the terminal.
///
/// # Errors
/// Says in one line what could not be understood, with the nearest option if there is one.
pub fn parse<T: Parser + Taken>(guide: &Guide) -> Result<T, Failure> {
    let words: Vec<OsString> = env::args_os().collect();
    let error = match try_parse(guide, &words) {
        Ok(options) => return Ok(options),
        Err(error) => error,
    };
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A help text that could not be printed is no success.
        std::process::exit(i32::from(error.print().is_err()));
    }
    let error = about_negative_value::<T>(guide, &words).unwrap_or(error);
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy().into()).collect();
    Err(mistake::in_one_line(&error, &words, guide))
}

fn try_parse<T: Parser + Taken>(guide: &Guide, words: &[OsString]) -> clap::error::Result<T> {
    let is_long = words.iter().any(|word| word == "--help");
    let mut command = T::command()
        .max_term_width(WIDEST_HELP)
        .after_help(guide.text(is_long))
        .mut_args(|arg| parsing_over(guide.transport, arg));
    take(command.try_get_matches_from_mut(words)?)
}

fn take<T: Taken>(mut matches: ArgMatches) -> clap::error::Result<T> {
    // Each option has a value, or is one that may have none.
    T::taken(&mut matches, "").ok_or_else(|| clap::Error::new(ErrorKind::MissingRequiredArgument))
}

/// The options that these words are, for tests. The first one is the name of the program.
///
/// # Errors
/// What clap has not understood.
#[cfg(any(test, feature = "testing"))]
pub fn of_words<'w, T: Parser + Taken>(
    words: impl IntoIterator<Item = &'w str>,
) -> clap::error::Result<T> {
    take(T::command().try_get_matches_from(words)?)
}

/// What is wrong with a value that is negative, as in `--timeout -1`, if one is. clap takes
/// it for an option. Written as `--timeout=-1`, it is seen for what it is.
fn about_negative_value<T: Parser + Taken>(
    guide: &Guide,
    words: &[OsString],
) -> Option<clap::Error> {
    let is_negative = |word: &OsString| matches!(word.as_bytes(), [b'-', b'0'..=b'9' | b'.', ..]);
    let is_option = |word: &OsString| word.as_bytes().starts_with(b"-");
    let at = (2..words.len()).find(|at| is_negative(&words[*at]) && is_option(&words[at - 1]))?;
    let mut joined = words[at - 1].clone();
    joined.push("=");
    joined.push(&words[at]);
    let words = [&words[..at - 1], &[joined], &words[at + 1..]].concat();
    try_parse::<T>(guide, &words).err().filter(|error| error.kind() == ErrorKind::ValueValidation)
}
