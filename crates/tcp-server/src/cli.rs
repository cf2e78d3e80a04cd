//! The command line.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Parser;
use common::duration;
use common::options::foreign::Foreign;
use common::options::guide::{DOCUMENTATION, Guide};
use common::options::{Text, number, text};
use common::protocol::{BUFFER_SIZE, TCP_REPLY, Transport};
use common::server::guide::{self, EXIT_STATUS, LIFE, NOTES};
use common::server::service::Service;
use common::{checked, taken};

use super::limits::{LINGER, READ_TIMEOUT, max_connections};

/// Answers the first message of each TCP connection with ACK!
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub struct Options {
    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = TCP_REPLY, value_parser = text(BUFFER_SIZE), allow_hyphen_values = true)]
    pub reply: Text,

    /// Answer every message until the peer closes
    #[arg(long, display_order = 20)]
    pub conversation: bool,

    /// How long a peer may send nothing
    #[arg(
        long, value_name = "DUR", default_value = READ_TIMEOUT, value_parser = checked!(duration::parse_from_1ms),
        display_order = 21,
    )]
    pub read_timeout: Duration,

    /// How long a peer may take to accept the reply and to close
    #[arg(
        long, value_name = "DUR", default_value = LINGER, value_parser = checked!(duration::parse_from_1ms),
        display_order = 22,
    )]
    pub linger: Duration,

    /// Most connections at once [default: as RLIMIT_NOFILE allows, less 32]
    #[arg(long, value_name = "N", value_parser = number(1, u64::MAX), display_order = 23)]
    max_connections: Option<u64>,

    /// Most connections from one address or IPv6 /64 [default: no limit]
    #[arg(
        long, value_name = "N", default_value_t = 0, value_parser = number(0, u64::MAX),
        hide_default_value = true, display_order = 24,
    )]
    max_per_source: u64,

    #[command(flatten)]
    pub service: Service,
}

taken!(Options {
    reply,
    conversation,
    read_timeout,
    linger,
    max_connections,
    max_per_source,
    service
});

impl Options {
    /// How many event loops to run: no more than `--max-connections`, so that
    /// each has room for a connection.
    pub fn workers(&self) -> NonZeroUsize {
        let most = self.max_connections.and_then(to_size).and_then(NonZeroUsize::new);
        self.service.workers().min(most.unwrap_or(NonZeroUsize::MAX))
    }

    /// How many connections all event loops together may hold, beside `listeners`
    /// listeners.
    pub fn max_connections(&self, listeners: usize) -> usize {
        let fitting = || max_connections(self.workers().get(), listeners);
        self.max_connections.and_then(to_size).unwrap_or_else(fitting)
    }

    /// How many connections one source may have; zero means no limit.
    pub fn max_per_source(&self) -> usize {
        to_size(self.max_per_source).unwrap_or(usize::MAX)
    }
}

fn to_size(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// What `--help` says beside the options.
pub const GUIDE: Guide = Guide {
    transport: Transport::Tcp,
    notes: &[NOTES],
    more: &[LIFE, EXAMPLES, EXIT_STATUS, DOCUMENTATION],
    foreign: &[FOREIGN, guide::FOREIGN],
    word: guide::of_word,
};

const EXAMPLES: &str = "\
Examples:
  tcp-server --listen :7777             # this port, on every address
  tcp-server --count 1 --idle-exit 30s  # fails if nobody comes in 30 s
  tcp-server --witness --stats 1m       # answer who asked; totals each minute";

const FOREIGN: &[Foreign] = &[
    Foreign::new("-u --udp", "", "udp-server speaks UDP"),
    Foreign::new("-t --tcp", "", "tcp-server always speaks TCP"),
    Foreign::new(
        "-w -W --timeout --idle --idle-timeout",
        "DUR",
        "--read-timeout DUR is for a silent peer, --idle-exit DUR for no peers",
    ),
    Foreign::new("--max-clients --max-conns --backlog --limit", "N", "write --max-connections N"),
    Foreign::new("--keepalive --keep-alive --persistent", "", "write --conversation"),
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
