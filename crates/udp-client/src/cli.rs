//! The command line.

use clap::Parser;
use common::exit::Failure;
use common::options::{Text, text};
use common::probe::message;
use common::probe::outcome::verdict::Verdict;
use common::probe::persistence::Persistence;
use common::probe::plan::{Plan, Probing};
use common::probe::report::Reporting;
use common::probe::target::Target;
use common::protocol::{DEFAULT_MESSAGE, MAX_DATAGRAM};

/// The verdicts that UDP does not have, with the reasons.
const NEVER: &[(Verdict, &str)] = &[
    (Verdict::Timeout, "cannot come over UDP: silence is no-reply"),
    (Verdict::Reset, "cannot come over UDP: without a connection, nothing is reset"),
];

/// Sends each line typed as a UDP datagram and prints the replies
#[derive(Debug, Parser)]
#[command(version, after_help = HELP, args_override_self = true)]
pub struct Options {
    #[command(flatten)]
    pub target: Target,

    /// Send only this, instead of lines ("-": standard input)
    #[arg(short, long, value_name = "TEXT")]
    #[arg(value_parser = text(MAX_DATAGRAM), allow_hyphen_values = true)]
    pub message: Option<Text>,

    #[command(flatten)]
    pub probing: Probing,

    #[command(flatten)]
    pub persistence: Persistence,

    #[command(flatten)]
    pub reporting: Reporting,
}

/// What the program is to do.
#[derive(Debug)]
pub enum Task {
    /// Send each line typed at the prompt.
    Prompt,
    /// Send one datagram.
    Exchange(Vec<u8>),
    /// Send one datagram, again and again until the outcome is as expected.
    Wait(Vec<u8>),
    /// Send a datagram again and again, and measure.
    Measure(Vec<u8>, Plan),
}

impl Task {
    /// The run that is asked for, if one is.
    pub fn plan(&self) -> Option<&Plan> {
        if let Self::Measure(_, plan) = self { Some(plan) } else { None }
    }
}

impl Options {
    /// What the program is to do.
    ///
    /// # Errors
    /// Something is wrong with the options, or standard input cannot be read.
    pub fn task(&self) -> Result<Task, Failure> {
        self.reporting.check(&self.target.written()?, NEVER)?;
        let Some(text) = &self.message else {
            return match self.probing.plan(&self.target)? {
                Some(plan) => Ok(Task::Measure(DEFAULT_MESSAGE.into(), plan)),
                None if self.persistence.is_given() => {
                    Err(Failure::usage("--wait, --deadline", "only with --message or --count"))
                }
                None => Ok(Task::Prompt),
            };
        };
        let datagram = message::given(text.clone(), MAX_DATAGRAM)?;
        Ok(match self.probing.plan(&self.target)? {
            None if self.persistence.waits() => Task::Wait(datagram),
            None => Task::Exchange(datagram),
            Some(plan) => Task::Measure(datagram, plan),
        })
    }
}

const HELP: &str = "\
Without --message and --count, an empty line or the end of the input ends the program.
HOST is a name, an IPv4 or an IPv6 address ([IPV6]:PORT); :PORT alone means this machine.
DUR is 500us, 20ms, 2s, 1.5m or 1h; a bare number is seconds.

VERDICT is ok, refused, unreachable, no-reply, wrong-reply, wrong-source, unresolved or local.
--wait and --deadline go with --message or --count.

Exit status: 0 as expected, 1 not as expected, 2 usage or a local fault,
124 not as expected until the deadline of --wait.";
