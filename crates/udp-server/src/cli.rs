//! The command line.

use clap::Parser;
use common::options::foreign::Foreign;
use common::options::guide::{DOCUMENTATION, Guide};
use common::options::{Text, number, text};
use common::protocol::{BUFFER_SIZE, Transport, UDP_REPLY};
use common::server::guide::{self, EXIT_STATUS, LIFE, NOTES};
use common::server::service::Service;
use common::taken;

use super::limits::MOST_RATE;

/// Answers each UDP datagram with "Recvice message ok!"
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub struct Options {
    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = UDP_REPLY, value_parser = text(BUFFER_SIZE), allow_hyphen_values = true)]
    pub reply: Text,

    /// Replies a second to one address or IPv6 /64, burst 2N [default: no limit]
    #[arg(
        long, value_name = "N", default_value_t = 0, value_parser = number(0, MOST_RATE),
        hide_default_value = true, display_order = 20,
    )]
    pub rate: u64,

    /// Also answer datagrams from the ports of services (below 1024, and 2049)
    #[arg(long, display_order = 21)]
    pub allow_low_ports: bool,

    #[command(flatten)]
    pub service: Service,
}

taken!(Options { reply, rate, allow_low_ports, service });

/// What `--help` says beside the options.
pub const GUIDE: Guide = Guide {
    transport: Transport::Udp,
    notes: &[NOTES],
    more: &[LIFE, EXAMPLES, EXIT_STATUS, DOCUMENTATION],
    foreign: &[FOREIGN, guide::FOREIGN],
    word: guide::of_word,
};

const EXAMPLES: &str = "\
Examples:
  udp-server --listen :7777             # this port, on every address
  udp-server --count 1 --idle-exit 30s  # fails if nobody comes in 30 s
  udp-server --witness --rate 50        # answer who asked; 50 a second to each";

const FOREIGN: &[Foreign] = &[
    Foreign::new("-u --udp", "", "udp-server always speaks UDP"),
    Foreign::new("-t --tcp", "", "tcp-server speaks TCP"),
    Foreign::new("--limit --rate-limit --max-rate --pps", "N", "write --rate N"),
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
