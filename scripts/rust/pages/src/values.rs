//! What some options take. Functions of ours check it, of which clap knows nothing. So it is said
//! here, for readers and shells; a test holds it against those functions.

use clap::Command;
use clap::builder::PossibleValue;

use crate::entries::{Entry, Paragraph, entries};
use crate::programs::Program;

/// The names of DSCPs. Numbers are taken, too.
pub const DSCP: &[&str] = &[
    "EF", "CS0", "CS1", "CS2", "CS3", "CS4", "CS5", "CS6", "CS7", "AF11", "AF12", "AF13", "AF21",
    "AF22", "AF23", "AF31", "AF32", "AF33", "AF41", "AF42", "AF43",
];

/// When `--trace` traces. The first is meant if it is not said.
pub const TRACE: &[&str] = &["failure", "always"];

/// The verdicts that `--help` lists, and what they mean. A server has none.
///
/// # Errors
/// There is no such list where `--expect` needs one, or it has another form.
pub fn verdicts(program: &Program) -> Result<Vec<Entry<'static>>, String> {
    let list = program.guide.more.iter().find_map(|text| match Paragraph::new(text) {
        Paragraph::Listing { heading: "Verdicts", lines } => Some(lines),
        _ => None,
    });
    match (list, has_option(&program.command, "expect")) {
        (Some(lines), true) => entries(&lines),
        (None, false) => Ok(Vec::new()),
        _ => Err("--expect and a list of verdicts go together".to_owned()),
    }
}

/// The verdicts, as clap has values.
pub fn of_verdicts(verdicts: &[Entry<'static>]) -> Vec<PossibleValue> {
    verdicts.iter().map(|it| PossibleValue::new(it.term).help(it.meaning.clone())).collect()
}

/// Whether a program has this option.
pub fn has_option(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_long() == Some(name))
}

#[cfg(test)]
mod tests {
    // A test fails by panicking.
    #![allow(clippy::unwrap_used)]

    use common::probe::examination::When;

    use super::*;
    use crate::programs;

    fn is_taken(program: &Program, option: &str, value: &str) -> bool {
        let words = [program.name(), &format!("--{option}={value}")].map(str::to_owned);
        program.command.clone().try_get_matches_from(words).is_ok()
    }

    #[test]
    fn the_programs_take_these_verdicts_alone() {
        for program in programs::all() {
            for Entry { term, .. } in verdicts(&program).unwrap() {
                assert!(is_taken(&program, "expect", term), "{} {term}", program.name());
                assert!(!is_taken(&program, "expect", &format!("{term}s")), "{term}s");
            }
        }
    }

    #[test]
    fn these_are_all_the_names_of_dscps() {
        let classes = (0..100).map(|number| format!("AF{number:02}"));
        let selectors = (0..10).map(|number| format!("CS{number}"));
        let names: Vec<_> = classes.chain(selectors).chain(["EF".to_owned()]).collect();
        for program in programs::all().iter().filter(|it| has_option(&it.command, "dscp")) {
            for name in &names {
                assert_eq!(is_taken(program, "dscp", name), DSCP.contains(&&**name), "{name}");
            }
        }
        assert!(DSCP.iter().all(|name| names.iter().any(|it| it == name)));
    }

    #[test]
    fn a_trace_is_made_at_these_times() {
        for when in TRACE {
            assert!(When::parse(when.as_bytes()).is_some(), "{when}");
        }
        assert_eq!(TRACE[0], "failure", "what --trace alone means");
    }

    #[test]
    fn a_client_has_verdicts_and_a_server_has_none() {
        for program in programs::all() {
            let is_client = program.name().ends_with("client");
            assert_eq!(!verdicts(&program).unwrap().is_empty(), is_client, "{}", program.name());
        }
        let [server, mut client, ..] = programs::all();
        client.guide = server.guide;
        assert!(verdicts(&client).is_err());
    }
}
