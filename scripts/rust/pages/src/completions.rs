//! Completions for bash, zsh and fish.

mod lists;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueHint};
use clap_complete::{Generator, Shell, generate};

use crate::entries::Entry;
use crate::programs::Program;
use crate::values::{self, DSCP, TRACE};

/// What would end a word or begin something else in the scripts.
const UNQUOTABLE: [char; 7] = ['\'', '"', '`', '$', '\\', '[', ']'];

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
/// The help has no list of verdicts where one is expected, or one with words that a shell would take
/// apart; or what clap generates has not the form that is expected.
pub fn all(program: &Program) -> Result<Vec<Completion>, String> {
    let verdicts = values::verdicts(program)?;
    if let Some(verdict) = verdicts.iter().find(|it| it.meaning.contains(UNQUOTABLE)) {
        return Err(format!(
            "{}: a shell would take this apart: {}",
            verdict.term, verdict.meaning
        ));
    }
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

/// `arg`, with the values that it takes. Where there is no more to say, no names of files are offered.
fn with_values(arg: Arg, verdicts: &[Entry<'static>]) -> Arg {
    match arg.get_long().unwrap_or_default() {
        "expect" => arg.value_parser(PossibleValuesParser::new(values::of_verdicts(verdicts))),
        "trace" => arg.value_parser(PossibleValuesParser::new(TRACE)),
        "dscp" => arg.value_parser(PossibleValuesParser::new(DSCP)),
        "interface" => arg.value_parser(PossibleValuesParser::new([lists::INTERFACES])),
        "prometheus" => arg.value_hint(ValueHint::FilePath),
        "" if takes(&arg, "HOST[:PORT]") => arg.value_hint(ValueHint::Hostname),
        _ if arg.get_action().takes_values() => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

fn takes(arg: &Arg, name: &str) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|each| each == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    #[test]
    fn a_quote_in_the_meaning_of_a_verdict_is_an_error() {
        let [_, mut client, ..] = programs::all();
        assert!(all(&client).is_ok());
        client.guide.more = &["Verdicts:\n  ok  the peer's reply"];
        assert!(all(&client).is_err_and(|error| error.starts_with("ok: ")));
    }
}
