//! The command line.

use clap::Parser;
use common::options::foreign::Foreign;
use common::options::guide::{DOCUMENTATION, Guide};
use common::options::{Text, number, text};
use common::probe::guide::{self, EXIT_STATUS, NOTES};
use common::probe::persistence::Persistence;
use common::probe::plan::Probing;
use common::probe::report::Reporting;
use common::probe::target::Target;
use common::protocol::{DEFAULT_MESSAGE, Transport};
use common::taken;

/// The longest message. The message is held in memory. Sending a longer one is a file
/// transfer, and there are better programs for that.
pub const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;

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
