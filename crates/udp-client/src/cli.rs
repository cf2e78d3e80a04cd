//! The command line.

use std::time::Instant;

use clap::Parser;
use common::exit::Failure;
use common::options::foreign::Foreign;
use common::options::guide::{DOCUMENTATION, Guide};
use common::options::{Text, number, text};
use common::probe::guide::{self, EXIT_STATUS, NOTES};
use common::probe::message;
use common::probe::outcome::verdict::Verdict;
use common::probe::persistence::Persistence;
use common::probe::plan::{Plan, Probing};
use common::probe::report::Reporting;
use common::probe::target::Target;
use common::protocol::{DEFAULT_MESSAGE, MAX_DATAGRAM, Transport};
use common::taken;

/// The verdicts that UDP does not have, with the reasons.
const NEVER: &[(Verdict, &str)] = &[
    (Verdict::Timeout, "cannot come over UDP: silence is no-reply"),
    (Verdict::Reset, "cannot come over UDP: without a connection, nothing is reset"),
];

/// Sends each line typed as a UDP datagram and prints the replies
#[derive(Debug, Parser)]
#[group(skip)]
#[command(version, args_override_self = true)]
pub struct Options {
    #[command(flatten)]
    pub target: Target,

    /// Send only this, instead of lines ("-": standard input)
    #[arg(short, long, value_name = "TEXT")]
    #[arg(value_parser = text(MAX_DATAGRAM), allow_hyphen_values = true)]
    pub message: Option<Text>,

    /// Pad the message with dots to N bytes
    #[arg(long, value_name = "N", value_parser = number(1, MAX_DATAGRAM as u64))]
    pub size: Option<u64>,

    #[command(flatten)]
    pub probing: Probing,

    #[command(flatten)]
    pub persistence: Persistence,

    #[command(flatten)]
    pub reporting: Reporting,
}

taken!(Options { target, message, size, probing, persistence, reporting });

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

/// What `--help` says beside the options.
pub const GUIDE: Guide = Guide {
    transport: Transport::Udp,
    notes: &[PROMPT, NOTES],
    more: &[EXAMPLES, VERDICTS, EXIT_STATUS, DOCUMENTATION],
    foreign: &[FOREIGN, guide::FOREIGN],
    word: guide::of_word,
};

const PROMPT: &str = "\
Without --message and --count, an empty line or the end of the input ends the program. \
--wait, --deadline and --size go with --message or --count.";

const EXAMPLES: &str = "\
Examples:
  udp-client box 7777 -m hello                  # does it get through? why not?
  udp-client box -m hi -W 1s --expect no-reply  # prove that a firewall drops it
  udp-client box -c 20 -i 50ms --max-loss 5     # at most 5 % may be lost";

const VERDICTS: &str = "\
Verdicts:
  ok            a reply came from where the message went
  refused       nobody listens there, or a firewall says so
  unreachable   no way there: a router or this machine says so
  no-reply      nothing at all came back in time
  wrong-reply   a reply, but not the one of --expect-reply or --expect-prefix
  wrong-source  a reply, but only from another address or port
  unresolved    the name has no address
  local         this machine is at fault: no free port, or not its address";

const FOREIGN: &[Foreign] = &[
    Foreign::new("-u --udp", "", "udp-client always speaks UDP"),
    Foreign::new("-t --tcp", "", "tcp-client speaks TCP"),
    Foreign::new("--connect", "", "over UDP nothing connects: a reply is the proof"),
    Foreign::new("-N --half-close --shutdown", "", "over UDP nothing can be closed"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn hints_are_about_foreign_options_and_name_our_own() {
        common::testing::mistakes::assert_hints_lead_here(&Options::command(), &GUIDE);
    }
}
