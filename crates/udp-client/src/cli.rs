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
use common::protocol::{MAX_DATAGRAM, Transport};
use common::taken;

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
