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
use common::protocol::{DEFAULT_MESSAGE, Transport};
use log::LevelFilter;

use crate::exchange::{Goal, Reading, Request};
use common::taken;

/// The longest message. The message is held in memory. Sending a longer one is a file
/// transfer, and there are better programs for that.
pub const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// What is read of the reply of a single exchange. It is held in memory, too.
pub const WHOLE: Reading = Reading { longest: 1024 * 1024, waits_for_more: true };

/// What is read of a reply in a run, which may have thousands of connections. The longest
/// reply that can be expected is shorter.
const IN_A_RUN: Reading = Reading { longest: 64 * 1024, waits_for_more: true };

/// What is read of a reply if the next probe waits for its end.
const IN_A_CLOSED_LOOP: Reading = Reading { waits_for_more: false, ..IN_A_RUN };

/// What is read of the replies in the run that `plan` asks for.
pub fn in_a_run(plan: &Plan) -> Reading {
    if plan.interval.is_zero() { IN_A_CLOSED_LOOP } else { IN_A_RUN }
}

/// The verdict that TCP does not have, with the reason.
const NEVER: &[(Verdict, &str)] =
    &[(Verdict::WrongSource, "cannot come over TCP: a connection has one peer")];

/// The verdicts that do not come either if only a connection is asked for.
const NEVER_OF_CONNECTIONS: &[(Verdict, &str)] =
    &[(Verdict::NoReply, NO_REPLY), (Verdict::WrongReply, NO_REPLY), (Verdict::Reset, NO_REPLY)];

const NO_REPLY: &str = "cannot come with --connect: no reply is asked for";

/// Sends a message over TCP and prints the reply
#[derive(Debug, Parser)]
#[group(skip)]
#[command(version, args_override_self = true)]
pub struct Options {
    #[command(flatten)]
    pub target: Target,

    /// What to send ("-": standard input)
    #[arg(short, long, value_name = "TEXT", default_value = DEFAULT_MESSAGE)]
    #[arg(value_parser = text(LONGEST_MESSAGE), allow_hyphen_values = true)]
    pub message: Text,

    /// Pad the message with dots to N bytes
    #[arg(long, value_name = "N", value_parser = number(1, LONGEST_MESSAGE as u64))]
    pub size: Option<u64>,

    /// End this side after the message (shut down writing)
    #[arg(short = 'N', long, display_order = 20)]
    pub half_close: bool,

    /// Only connect: success is that the connection stands
    #[arg(long, display_order = 21)]
    #[arg(conflicts_with_all = ["message", "size", "half_close", "expect_reply", "expect_prefix"])]
    pub connect: bool,

    #[command(flatten)]
    pub probing: Probing,

    #[command(flatten)]
    pub persistence: Persistence,

    #[command(flatten)]
    pub reporting: Reporting,
}

taken!(Options { target, message, size, half_close, connect, probing, persistence, reporting });

/// What the program is to do.
#[derive(Debug)]
pub struct Task {
    /// What to send.
    pub message: Vec<u8>,
    /// How many bytes of that are padding.
    pub padding: u64,
    /// How often.
    pub times: Times,
}

/// How often a message is sent.
#[derive(Clone, Copy, Debug)]
pub enum Times {
    Once,
    /// Again and again until the outcome is as expected.
    Wait,
    /// Again and again, and measured.
    Measure(Plan),
}

impl Options {
    /// What the program is to do. Everything has to end at `end`.
    ///
    /// # Errors
    /// Something is wrong with the options, or standard input cannot be read in time.
    pub fn task(&self, end: Option<Instant>) -> Result<Task, Failure> {
        let mut message =
            message::given(self.message.clone(), LONGEST_MESSAGE, &self.persistence, end)?;
        let padding = message::pad(&mut message, self.size)?;
        if message.is_empty() && !self.half_close {
            let reason = "empty: there is nothing to send, unless --half-close sends the end";
            return Err(Failure::usage("--message", reason));
        }
        let never = if self.connect { &[NEVER, NEVER_OF_CONNECTIONS].concat() } else { NEVER };
        self.reporting.check(&self.target.written()?, never)?;
        let times = match self.probing.plan(&self.target)? {
            None if self.persistence.waits() => Times::Wait,
            None => Times::Once,
            Some(plan) => Times::Measure(plan),
        };
        Ok(Task { message, padding, times })
    }

    /// What an exchange of `message` sends, what is expected of the reply, and how much of it is
    /// read.
    pub fn request<'m>(&'m self, message: &'m [u8], reading: Reading) -> Request<'m> {
        let goal = match self.connect {
            false => Goal::Reply,
            // A greeting is only shown, so it is waited for only if that is seen.
            true if log::max_level() >= LevelFilter::Debug => Goal::Greeting,
            true => Goal::Connection,
        };
        let expected_reply = self.reporting.expected_reply();
        Request { goal, message, half_close: self.half_close, expected_reply, reading }
    }
}

/// What `--help` says beside the options.
pub const GUIDE: Guide = Guide {
    transport: Transport::Tcp,
    notes: &[NOTES],
    more: &[EXAMPLES, VERDICTS, EXIT_STATUS, DOCUMENTATION],
    foreign: &[FOREIGN, guide::FOREIGN],
    word: guide::of_word,
};

const EXAMPLES: &str = "\
Examples:
  tcp-client box 7777 -m hello              # does it get through? why not?
  tcp-client box 443 --connect              # is it open? sends nothing
  tcp-client box 22 --wait --deadline 60s   # wait until it answers
  tcp-client box 23 --expect refused        # prove that a firewall rejects it
  tcp-client box -c 20 -i 50ms -q           # measure, and print the summary";

const VERDICTS: &str = "\
Verdicts:
  ok           a reply came; with --connect: the connection stands
  refused      nobody listens there, or a firewall says so
  unreachable  no way there: a router or this machine says so
  timeout      no connection in time: nothing at all came back
  no-reply     a connection, but no reply in time, or the peer just closed
  reset        a connection, which was reset before a reply came
  wrong-reply  a reply, but not the one of --expect-reply or --expect-prefix
  unresolved   the name has no address
  local        this machine is at fault: no free port, or not its address";

const FOREIGN: &[Foreign] = &[
    Foreign::new("-u --udp", "", "udp-client speaks UDP"),
    Foreign::new("-t --tcp", "", "tcp-client always speaks TCP"),
    Foreign::new("-z --zero --zero-io --scan", "", "write --connect"),
    Foreign::new("--shutdown --shut-down --half", "", "write --half-close"),
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
