//! The command line.

use clap::Parser;
use common::listen::{HELP, Listen};
use common::options::{Output, Text, text};
use common::protocol::{BUFFER_SIZE, TCP_REPLY};

/// Answers the first message of each TCP connection with ACK!
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
pub struct Options {
    #[command(flatten)]
    pub listen: Listen,

    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = TCP_REPLY, value_parser = text(BUFFER_SIZE))]
    pub reply: Text,

    #[command(flatten)]
    pub output: Output,
}
