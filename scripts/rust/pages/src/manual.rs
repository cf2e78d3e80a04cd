//! A manual page, in man(7).

use std::env;
use std::time::{Duration, SystemTime};

use clap::Arg;
use roff::{Inline, Roff, bold, italic, roman};

use crate::entries::{Entry, Paragraph, entries};
use crate::programs::Program;

/// The list that is printed as it is, and last.
const EXAMPLES: &str = "Examples";

/// The page of a program.
///
/// # Errors
/// Says what in the help of the program has not the form that is expected.
pub fn page(program: &Program) -> Result<String, String> {
    let mut roff = Roff::new();
    let title = program.name().to_uppercase();
    let version = format!("getthrough {}", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [&title, "1", &date()?, &version, "User Commands"]);
    name(program, &mut roff);
    description(program, &mut roff);
    arguments(program, &mut roff);
    listings(program, |heading| heading != EXAMPLES, &mut roff)?;
    environment(program, &mut roff);
    listings(program, |heading| heading == EXAMPLES, &mut roff)?;
    see_also(program, &mut roff);
    Ok(narrow(&roff.render()))
}

/// The day of the release, as `SOURCE_DATE_EPOCH` has it, or today.
///
/// # Errors
/// The variable is not a number of seconds.
fn date() -> Result<String, String> {
    let time = match env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => {
            let seconds =
                seconds.parse().map_err(|_| "SOURCE_DATE_EPOCH: not a number of seconds")?;
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        }
        Err(_) => SystemTime::now(),
    };
    let mut date = humantime::format_rfc3339_seconds(time).to_string();
    date.truncate("2000-01-01".len());
    Ok(date)
}

/// What it is called, what it does in a line, and how it is called.
fn name(program: &Program, roff: &mut Roff) {
    let about = program.command.get_about().map(ToString::to_string).unwrap_or_default();
    roff.control("SH", ["NAME"]);
    roff.text([roman(program.name()), roman(" - "), roman(about)]);
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
    roff.text(words(program.description));
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

/// What an option does, and its default.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
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
        for line in lines {
            let (command, comment) = line.split_once('#').unwrap_or((line, ""));
            roff.control("TP", []);
            roff.text([bold(command.trim())]);
            roff.text(words(&sentence(comment.trim())));
        }
        return Ok(());
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

/// A comment of an example, as a sentence's beginning has it.
fn sentence(comment: &str) -> String {
    let mut letters = comment.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn environment(program: &Program, roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in program.environment {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text(words(meaning));
    }
}

fn see_also(program: &Program, roff: &mut Roff) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (page, section) in program.see_also {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(*page), roman(format!("({section})"))]);
    }
    roff.text(line);
    paragraph(
        "The recipes, what each verdict means, the format of --json, and what is promised: README.md and the \
         folder docs, in the source and, of a package, in /usr/share/doc/getthrough.",
        roff,
    );
}

fn paragraph(text: &str, roff: &mut Roff) {
    roff.control("PP", []);
    roff.text(words(text));
}

/// Text whose options are bold.
fn words(text: &str) -> Vec<Inline> {
    let mut line = Vec::new();
    for (index, word) in text.split_whitespace().enumerate() {
        if index > 0 {
            line.push(roman(" "));
        }
        let is_option = |word: &str| {
            word.strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_alphabetic()))
        };
        let name = word.trim_end_matches([',', ';', ':', '.', ')']);
        if is_option(name) {
            line.extend([bold(name), roman(&word[name.len()..])]);
        } else {
            line.push(roman(word));
        }
    }
    line
}

/// The source with lines of at most 80 columns, as linters of manual pages want it. A new line is a
/// space there, unless it begins with a dot or a quote.
fn narrow(source: &str) -> String {
    let mut narrow = String::new();
    for line in source.lines() {
        let mut columns = 0;
        let is_control = line.starts_with('.');
        for (index, word) in line.split(' ').enumerate() {
            let fits = is_control || columns + word.len() < 80 || word.starts_with(['.', '\'']);
            if index > 0 {
                narrow.push(if fits { ' ' } else { '\n' });
            }
            columns = if fits { columns + word.len() + 1 } else { word.len() + 1 };
            narrow.push_str(word);
        }
        narrow.push('\n');
    }
    narrow
}
