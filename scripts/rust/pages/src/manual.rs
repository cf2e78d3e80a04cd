//! A manual page, in man(7).

mod text;

use std::time::{Duration, SystemTime};

use clap::Arg;
use roff::{Inline, Roff, bold, italic, roman};

use crate::entries::{Entry, Paragraph, entries};
use crate::programs::{self, Program};
use crate::values::TRACE;
use text::{LITERAL, LITERAL_END, in_sentence, narrow, words};

/// The list that is printed as it is, and last.
const EXAMPLES: &str = "Examples";

/// What the list of verdicts begins with.
const VERDICTS: &str =
    "What came of a message, in one word, as --expect takes it and --json prints it:";

/// When the year 10000 begins, in seconds.
const YEAR_10000: u64 = 253_402_300_800;

/// The page of a program, with the day of the release, if `epoch` says it in seconds.
///
/// # Errors
/// Says what in the help of the program has not the form that is expected, or in `epoch`.
pub fn page(program: &Program, epoch: Option<&str>) -> Result<String, String> {
    let mut roff = Roff::new();
    let title = program.name().to_uppercase();
    let version = format!("getthrough {}", env!("CARGO_PKG_VERSION"));
    // An empty word would be left out, and the version be taken for the day.
    let date = epoch.map_or_else(|| Ok(" ".to_owned()), day)?;
    roff.control("TH", [&title, "1", &date, &version, "User Commands"]);
    // No line is stretched: in narrow columns of long options there would be more gaps than words.
    roff.control("ad", ["l"]);
    name(program, &mut roff);
    description(program, &mut roff);
    arguments(program, &mut roff);
    listings(program, |heading| heading != EXAMPLES, &mut roff)?;
    environment(program, &mut roff);
    listings(program, |heading| heading == EXAMPLES, &mut roff)?;
    see_also(program, &mut roff);
    copyright(&mut roff);
    Ok(narrow(&roff.render()))
}

/// The day of `SOURCE_DATE_EPOCH`. That of the build would make each one another page.
///
/// # Errors
/// It is no number of seconds, or too large for a year of four digits.
fn day(epoch: &str) -> Result<String, String> {
    let bad = || format!("SOURCE_DATE_EPOCH: {epoch}: not a number of seconds until the year 9999");
    let seconds = epoch.parse().ok().filter(|seconds| *seconds < YEAR_10000).ok_or_else(bad)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let mut date = humantime::format_rfc3339_seconds(time).to_string();
    date.truncate("2000-01-01".len());
    Ok(date)
}

/// What it is called, what it does in a line, and how it is called.
fn name(program: &Program, roff: &mut Roff) {
    let about = program.command.get_about().map(ToString::to_string).unwrap_or_default();
    roff.control("SH", ["NAME"]);
    roff.text([roman(program.name()), roman(" - "), roman(in_sentence(&about))]);
    roff.control("SH", ["SYNOPSIS"]);
    let mut line = vec![bold(program.name()), roman(" ["), italic("OPTIONS"), roman("]")];
    for arg in program.command.get_positionals() {
        line.extend([roman(" ["), italic(value_name(arg)), roman("]")]);
    }
    roff.text(line);
}

/// What the program does, and the sentences of its help.
fn description(program: &Program, roff: &mut Roff) {
    roff.control("SH", ["DESCRIPTION"]);
    for (index, text) in program.description.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text(words(text));
    }
    for text in [program.guide.notes, program.guide.more].concat() {
        match Paragraph::new(text) {
            Paragraph::Prose(text) if !text.starts_with("Documentation:") => paragraph(text, roff),
            _ => {}
        }
    }
}

/// The arguments and options, in the order of the help.
fn arguments(program: &Program, roff: &mut Roff) {
    let mut command = program.command.clone();
    command.build();
    let mut options: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    // A stable sort, as in the help: where the order is not said, it is that of the definitions.
    options.sort_by_key(|arg| (!arg.is_positional(), arg.get_display_order()));
    roff.control("SH", ["OPTIONS"]);
    for arg in options {
        roff.control("TP", []);
        roff.text(names(arg));
        roff.text(words(&meaning(arg)));
    }
}

/// How an option is written: `-l, --listen ADDR`.
fn names(arg: &Arg) -> Vec<Inline> {
    if arg.is_positional() {
        return vec![italic(value_name(arg))];
    }
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    let long = arg.get_long().map(|name| format!("--{name}"));
    let mut line = Vec::new();
    for name in [short, long].into_iter().flatten() {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.push(bold(name));
    }
    let is_optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    if arg.get_action().takes_values() {
        let (before, after) = if is_optional { ("[=", "]") } else { (" ", "") };
        line.extend([roman(before), italic(value_name(arg)), roman(after)]);
    }
    line
}

fn value_name(arg: &Arg) -> String {
    arg.get_value_names().unwrap_or_default().first().map(ToString::to_string).unwrap_or_default()
}

/// What an option does, its values if they are few, and its default.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    if arg.get_long() == Some("trace") {
        let (meant, others) = (TRACE[0], TRACE[1..].join(" or "));
        return format!("{help}; WHEN: {meant}, which --trace alone means, or {others}");
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if defaults.is_empty() || arg.is_hide_default_value_set() || !arg.get_action().takes_values() {
        return help;
    }
    format!("{help} [default: {}]", defaults.join(", "))
}

/// The lists of the help that are wanted, a section each.
fn listings(program: &Program, is_wanted: fn(&str) -> bool, roff: &mut Roff) -> Result<(), String> {
    for text in program.guide.more {
        match Paragraph::new(text) {
            Paragraph::Listing { heading, lines } if is_wanted(heading) => {
                section(heading, &lines, program, roff)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A section for a list of the help: examples as they are, everything else as terms.
fn section(
    heading: &str,
    lines: &[&str],
    program: &Program,
    roff: &mut Roff,
) -> Result<(), String> {
    roff.control("SH", [heading.to_uppercase().as_str()]);
    if heading == EXAMPLES {
        return examples(lines, roff);
    }
    if heading == "Verdicts" {
        roff.text(words(VERDICTS));
    }
    for Entry { term, meaning } in entries(lines)? {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text(words(&meaning));
    }
    if heading == "Exit status" {
        paragraph(program.signals, roff);
    }
    Ok(())
}

/// Commands as they are typed. What each is for stands above it, since a line of the help has not
/// room enough in a page.
fn examples(lines: &[&str], roff: &mut Roff) -> Result<(), String> {
    roff.control(LITERAL, []);
    for (index, line) in lines.iter().enumerate() {
        let parts = line.strip_prefix("  ").and_then(|line| line.split_once("  "));
        let (command, comment) = parts.ok_or_else(|| format!("not an example: {line}"))?;
        let comment = comment.trim_start();
        if !comment.starts_with("# ") {
            return Err(format!("not a comment: {comment}"));
        }
        if index > 0 {
            roff.control("sp", []);
        }
        roff.text([roman(comment)]);
        roff.text([bold(command)]);
    }
    roff.control(LITERAL_END, []);
    Ok(())
}

fn environment(program: &Program, roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in program.environment {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text(words(meaning));
    }
}

/// The other programs, and what else a reader may want.
fn see_also(program: &Program, roff: &mut Roff) {
    roff.control("SH", ["SEE ALSO"]);
    // No hyphens from here on: the name of a page that is broken cannot be looked up.
    roff.control("nh", []);
    let siblings = programs::NAMES.iter().filter(|name| **name != program.name());
    let pages = siblings.map(|name| (*name, "1")).chain(program.see_also.iter().copied());
    let mut line = Vec::new();
    for (page, section) in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(page), roman(format!("({section})"))]);
    }
    roff.text(line);
    paragraph(
        "The recipes, what each verdict means, the format of --json, and what is promised: README.md and the \
         folder docs, in the source, or where it is installed: in share/doc/getthrough below /usr or /usr/local.",
        roff,
    );
}

fn copyright(roff: &mut Roff) {
    roff.control("SH", ["COPYRIGHT"]);
    let licences = env!("CARGO_PKG_LICENSE").replace("OR", "or");
    roff.text([roman(format!("Licensed under {licences}, at your option."))]);
}

fn paragraph(text: &str, roff: &mut Roff) {
    roff.control("PP", []);
    roff.text(words(text));
}

#[cfg(test)]
mod tests {
    // A test fails by panicking.
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn with(more: &'static [&'static str]) -> Result<String, String> {
        let [mut program, ..] = programs::all();
        program.guide.more = more;
        page(&program, None)
    }

    #[test]
    fn a_page_has_its_sections_and_no_day_of_its_own() {
        for program in programs::all() {
            let page = page(&program, None).unwrap();
            let title = format!(".TH {} 1 \" \" \"getthrough ", program.name().to_uppercase());
            assert!(page.contains(&title), "{title}: {}", &page[..200]);
            let sections: Vec<_> =
                page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
            let all = "NAME SYNOPSIS DESCRIPTION OPTIONS VERDICTS \"EXIT STATUS\" ENVIRONMENT EXAMPLES \
                       \"SEE ALSO\" COPYRIGHT";
            let is_client = program.name().ends_with("client");
            let all = if is_client { all.to_owned() } else { all.replace("VERDICTS ", "") };
            assert_eq!(sections.join(" "), all, "{}", program.name());
        }
    }

    #[test]
    fn the_day_is_that_of_the_release() {
        assert_eq!(day("0").as_deref(), Ok("1970-01-01"));
        assert_eq!(day("1790000000").as_deref(), Ok("2026-09-21"));
        for epoch in ["", "-1", "today", "253402300800", "18446744073709551615"] {
            assert!(day(epoch).is_err_and(|error| error.contains("SOURCE_DATE_EPOCH")), "{epoch}");
        }
        let [program, ..] = programs::all();
        assert!(page(&program, Some("0")).unwrap().contains(" 1970-01-01 "));
        assert!(page(&program, Some("soon")).is_err());
    }

    #[test]
    fn lists_of_another_form_are_an_error() {
        assert!(with(&["Examples:\n  tcp-server  # listen", "Exit status:\n  0  ended"]).is_ok());
        assert!(with(&["Examples:\n  tcp-server # listen"]).is_err());
        assert!(with(&["Examples:\n  tcp-server  listen"]).is_err());
        assert!(with(&["Examples:\ntcp-server  # listen"]).is_err());
        assert!(with(&["Exit status:\n  0"]).is_err());
    }
}
