//! Completions for bash, zsh and fish.
//!
//! What an option takes is checked by functions of ours, of which clap knows nothing. So it is said
//! here, for the shells alone.

mod lists;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command, ValueHint};
use clap_complete::{Generator, Shell, generate};

use crate::entries::{Entry, Paragraph, entries};
use crate::programs::Program;

/// The completions of a program in one shell.
pub struct Completion {
    /// The shell, as a folder.
    pub folder: &'static str,
    pub file: String,
    pub script: String,
}

/// The completions of a program in each shell.
///
/// # Errors
/// The help has no list of verdicts where one is expected, or what clap generates has not the form
/// that is expected.
pub fn all(program: &Program) -> Result<Vec<Completion>, String> {
    let verdicts = verdicts(program)?;
    let mut command = program.command.clone().mut_args(|arg| with_values(arg, &verdicts));
    let shells = [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")];
    let completion = |(shell, folder): (Shell, &'static str)| {
        let script = generated(shell, &mut command, program.name())?;
        let script = match shell {
            Shell::Bash => lists::of_bash(&script, &verdicts),
            Shell::Zsh => lists::of_zsh(&script, &verdicts),
            _ => lists::of_fish(&script, &verdicts, program.name()),
        }?;
        // bash-completion looks for the program's name alone.
        let file = match shell {
            Shell::Bash => program.name().to_owned(),
            _ => shell.file_name(program.name()),
        };
        Ok(Completion { folder, file, script })
    };
    shells.map(completion).into_iter().collect()
}

fn generated(shell: Shell, command: &mut Command, name: &str) -> Result<String, String> {
    let mut script = Vec::new();
    generate(shell, command, name, &mut script);
    String::from_utf8(script).map_err(|error| error.to_string())
}

/// The verdicts that `--help` lists, and what they mean. A server has none.
fn verdicts(program: &Program) -> Result<Vec<Entry<'static>>, String> {
    let list = program.guide.more.iter().find_map(|text| match Paragraph::new(text) {
        Paragraph::Listing { heading: "Verdicts", lines } => Some(lines),
        _ => None,
    });
    let is_expected = program.command.get_arguments().any(|arg| arg.get_long() == Some("expect"));
    match (list, is_expected) {
        (Some(lines), true) => entries(&lines),
        (None, false) => Ok(Vec::new()),
        _ => Err("--expect and a list of verdicts go together".to_owned()),
    }
}

/// `arg`, with the values that it takes. Where there is no more to say, no names of files are offered.
fn with_values(arg: Arg, verdicts: &[Entry<'static>]) -> Arg {
    let words = |words: &'static str| PossibleValuesParser::new(words.split(' '));
    match arg.get_long().unwrap_or_default() {
        "expect" => {
            let value =
                |entry: &Entry<'static>| PossibleValue::new(entry.term).help(entry.meaning.clone());
            arg.value_parser(PossibleValuesParser::new(verdicts.iter().map(value)))
        }
        "trace" => arg.value_parser(words("failure always")),
        "dscp" => arg.value_parser(words(DSCP)),
        "prometheus" => arg.value_hint(ValueHint::FilePath),
        "" if takes(&arg, "HOST[:PORT]") => arg.value_hint(ValueHint::Hostname),
        _ if arg.get_action().takes_values() => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

fn takes(arg: &Arg, name: &str) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|each| each == name))
}

/// The names of DSCPs, as [`common::probe::dscp`] has them.
const DSCP: &str = "EF CS0 CS1 CS2 CS3 CS4 CS5 CS6 CS7 AF11 AF12 AF13 AF21 AF22 AF23 AF31 AF32 AF33 AF41 AF42 AF43";
