//! Options that other programs have, and what is written here in their place.

/// Options that a user of nc, ping, curl or iperf may try.
#[derive(Clone, Copy, Debug)]
pub struct Foreign {
    /// The options, separated by spaces: `-p --port`.
    pub options: &'static str,
    /// What stands in the hint for the value that the user gave: `PORT`. Empty if nothing does.
    pub value: &'static str,
    /// What is written here instead.
    pub hint: &'static str,
}

impl Foreign {
    /// An entry of a table.
    #[must_use]
    pub const fn new(options: &'static str, value: &'static str, hint: &'static str) -> Self {
        Self { options, value, hint }
    }

    /// Whether this is about `option`, with its dashes.
    #[must_use]
    pub fn is_about(&self, option: &str) -> bool {
        self.options.split(' ').any(|other| other == option)
    }

    /// The hint, with the `given` value in its place.
    #[must_use]
    pub fn hint_for(&self, given: Option<&str>) -> String {
        match given {
            Some(given) if !self.value.is_empty() => self.hint.replace(self.value, given),
            _ => self.hint.to_owned(),
        }
    }
}

/// What all four programs have under other names, or do not have.
pub const COMMON: &[Foreign] = &[
    Foreign::new("-? --usage --man --manual --examples --options", "", "see --help"),
    Foreign::new("--silent --no-output --brief", "", "write --quiet"),
    Foreign::new("--debug --loglevel --log-level --info", "", "write --verbose"),
    Foreign::new("--format --output-format", "", "write --json"),
    Foreign::new("--date --time-stamps --utc", "", "write --timestamps"),
    Foreign::new("-o --output --log --logfile --log-file", "FILE", "redirect the output: >FILE"),
    Foreign::new("--tls --ssl --dtls", "", "messages are sent as they are"),
    Foreign::new("-e --exec --sh-exec --command", "", "no program is run"),
];
