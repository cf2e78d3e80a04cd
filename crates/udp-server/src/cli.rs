//! The command line.

use clap::Parser;
use common::options::{Text, number, text};
use common::protocol::{BUFFER_SIZE, UDP_REPLY};
use common::server::service::{HELP, Service};

use crate::limits::MOST_RATE;

/// Answers each UDP datagram with "Recvice message ok!"
#[derive(Debug, Parser)]
#[command(version, after_help = HELP, args_override_self = true)]
pub struct Options {
    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = UDP_REPLY, value_parser = text(BUFFER_SIZE))]
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
