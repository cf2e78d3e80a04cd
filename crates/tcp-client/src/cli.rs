//! The command line.

use clap::Parser;
use common::options::{Output, Text, text};
use common::protocol::TCP_MESSAGE;
use common::target::Target;

/// The longest message. It is held in memory; one that takes more is a file
/// transfer, for which there are better programs.
pub const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// Sends a message over TCP and prints the reply
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
pub struct Options {
    #[command(flatten)]
    pub target: Target,

    /// What to send ("-": standard input)
    #[arg(short, long, value_name = "TEXT", default_value = TCP_MESSAGE)]
    #[arg(value_parser = text(LONGEST_MESSAGE), allow_hyphen_values = true)]
    pub message: Text,

    #[command(flatten)]
    pub output: Output,
}

const HELP: &str = "\
HOST is a name, an IPv4 or an IPv6 address ([IPV6]:PORT); :PORT alone means this machine.
DUR is 500ms, 2s, 1.5m or 1h; a bare number is seconds.

Exit status: 0 a reply came, 1 none did, 2 usage or a local fault.";
