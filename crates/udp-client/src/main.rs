//! `udp-client`: the tutorial's `udp_client.py`.
//!
//! It sends each line typed at its prompt as a datagram, and prints the reply;
//! with `--message` it sends just that.

mod cli;
mod exchange;
mod flow;
mod prompt;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::protocol::MAX_DATAGRAM;
use common::{message, options, transcript};

use crate::cli::Options;
use crate::flow::Session;

const PROGRAM: &str = env!("CARGO_BIN_NAME");

fn main() -> ExitCode {
    exit::report(PROGRAM, run())
}

fn run() -> Result<(), Failure> {
    let Options { target, message, output } = options::parse()?;
    transcript::to_stderr(output)?;
    let Some(text) = message else {
        return prompt::run(Session::new(target.resolve()?), output);
    };
    let datagram = message::given(text, MAX_DATAGRAM)?;
    let reply = Session::new(target.resolve()?).exchange(&datagram)?;
    message::print_reply(&reply, output)
}
