//! What the program is to do, as the command line says.

use std::time::Instant;

use common::exit::Failure;
use common::options::Text;
use common::probe::message;
use common::probe::outcome::verdict::Verdict;
use common::probe::plan::Plan;
use common::protocol::{DEFAULT_MESSAGE, MAX_DATAGRAM};

use crate::cli::Options;

/// The verdicts that UDP does not have, with the reasons.
const NEVER: &[(Verdict, &str)] = &[
    (Verdict::Timeout, "cannot come over UDP: silence is no-reply"),
    (Verdict::Reset, "cannot come over UDP: without a connection, nothing is reset"),
];

/// What the program is to do.
#[derive(Debug)]
pub struct Task {
    /// What to send, except at the prompt.
    pub datagram: Vec<u8>,
    /// How many bytes of that are padding.
    pub padding: u64,
    /// How often.
    pub times: Times,
}

/// How often something is sent.
#[derive(Clone, Copy, Debug)]
pub enum Times {
    /// For each line typed at the prompt.
    Prompt,
    Once,
    /// Again and again until the outcome is as expected.
    Wait,
    /// Again and again, and measured.
    Measure(Plan),
}

impl Times {
    /// The run that is asked for, if one is.
    pub fn plan(&self) -> Option<&Plan> {
        if let Self::Measure(plan) = self { Some(plan) } else { None }
    }
}

impl Options {
    /// What the program is to do. Everything has to end at `end`.
    ///
    /// # Errors
    /// Something is wrong with the options, or standard input cannot be read in time.
    pub fn task(&self, end: Option<Instant>) -> Result<Task, Failure> {
        self.reporting.check(&self.target.written()?, NEVER)?;
        let text = self.message.clone().unwrap_or_else(|| Text(DEFAULT_MESSAGE.into()));
        let mut datagram = message::given(text, MAX_DATAGRAM, &self.persistence, end)?;
        let times = match self.probing.plan(&self.target)? {
            Some(plan) => Times::Measure(plan),
            None if self.message.is_none() => self.prompt()?,
            None if self.persistence.waits() => Times::Wait,
            None => Times::Once,
        };
        let padding = message::pad(&mut datagram, self.size)?;
        Ok(Task { datagram, padding, times })
    }

    /// The prompt, if nothing was asked for that it does not have.
    fn prompt(&self) -> Result<Times, Failure> {
        let others =
            [(self.persistence.is_given(), "--wait, --deadline"), (self.size.is_some(), "--size")];
        match others.iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) => Err(Failure::usage(option, "only with --message or --count")),
            None => Ok(Times::Prompt),
        }
    }
}
