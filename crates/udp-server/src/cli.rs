//! The command line.

use clap::Parser;
use common::address::Address;
use common::options::{Output, Text, text};
use common::protocol::{BUFFER_SIZE, UDP_REPLY};

/// Answers each UDP datagram with "Recvice message ok!"
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
pub struct Options {
    /// Where to listen (repeatable)
    #[arg(short, long, value_name = "ADDR", default_values_t = [Address::default()])]
    pub listen: Vec<Address>,

    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = UDP_REPLY, value_parser = text(BUFFER_SIZE))]
    pub reply: Text,

    #[command(flatten)]
    pub output: Output,
}

const HELP: &str = "\
ADDR is HOST:PORT, HOST, [IPV6]:PORT, or :PORT for every address of both families;
port 0 lets the system choose. Ctrl-C stops the server, which then tells its totals.

Exit status: 0 stopped by a signal, 1 the event loop broke, 2 usage, or could not listen.";
