//! What is said to somebody whose command line cannot be understood: one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::Failure;
use crate::options::foreign::COMMON;
use crate::options::guide::Guide;

/// What is wrong with the command line `words`, and what may have been meant.
pub(super) fn in_one_line(error: &clap::Error, words: &[String], guide: &Guide) -> Failure {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let full = bare(&context(ContextKind::InvalidArg));
    let option = shortened(full.clone());
    let value = context(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if full.starts_with('-') => {
            let hint = foreign_hint(&full, words, guide);
            let hint = hint.unwrap_or_else(|| match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(near)) if is_near(&full, near) => {
                    format!("did you mean {near}?")
                }
                _ => "see --help".to_owned(),
            });
            unknown(&full, hint)
        }
        ErrorKind::UnknownArgument => {
            let at = words.iter().rposition(|word| *word == full).unwrap_or(0);
            let neighbour = |at: Option<usize>| at.and_then(|at| words.get(at)).map(String::as_str);
            let hint =
                (guide.word)(neighbour(at.checked_sub(1)), &full, neighbour(at.checked_add(1)));
            Failure::usage(option, format!("unexpected word ({})", shortened(hint)))
        }
        ErrorKind::ArgumentConflict => {
            let other = bare(&context(ContextKind::PriorArg));
            Failure::usage(option, format!("cannot be used with {other}"))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            // nc's users write -l -p 80, where only -p has a value.
            let foreign = |word: &String| Some((word.clone(), foreign_hint(word, words, guide)?));
            match words.iter().find_map(foreign) {
                Some((word, hint)) => unknown(&word, hint),
                None => Failure::usage(option, "needs a value"),
            }
        }
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

/// Whether `near`, which clap suggests, may really be meant. clap would answer --seconds with --json.
fn is_near(option: &str, near: &str) -> bool {
    let first = |option: &str| option.trim_start_matches('-').chars().next();
    first(option) == first(near)
}

fn unknown(option: &str, hint: String) -> Failure {
    Failure::usage(
        shortened(option.to_owned()),
        format!("unknown option ({})", shortened_to(LONGEST_REASON, hint)),
    )
}

/// What is written here for `option`, which other programs have.
fn foreign_hint(option: &str, words: &[String], guide: &Guide) -> Option<String> {
    let mut all = guide.foreign.iter().copied().flatten().chain(COMMON);
    let known = all.find(|foreign| foreign.is_about(option))?;
    Some(known.hint_for(value_of(option, words).as_deref()))
}

/// The value that `option` was given: `--port 80`, `--port=80`, `-p 80`, `-p80`.
fn value_of(option: &str, words: &[String]) -> Option<String> {
    let letter = option.strip_prefix('-').filter(|letter| !letter.starts_with('-'));
    words.iter().enumerate().find_map(|(at, word)| {
        let rest = match letter {
            Some(_) if word.starts_with("--") || !word.starts_with('-') => None,
            Some(letter) => word.split_once(letter).map(|(_, rest)| rest),
            None => {
                word.strip_prefix(option).filter(|rest| rest.is_empty() || rest.starts_with('='))
            }
        }?;
        let rest = rest.strip_prefix('=').unwrap_or(rest);
        let next = words.get(at + 1).filter(|next| !next.starts_with('-')).map(String::as_str);
        (if rest.is_empty() { next } else { Some(rest) }).map(|value| shortened(value.to_owned()))
    })
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
