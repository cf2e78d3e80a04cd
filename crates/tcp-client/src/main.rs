//! `tcp-client`: the tutorial's `tcp_client.py`.
//!
//! It connects, sends a message, and prints the reply.

mod cli;
mod drive;
mod exchange;
mod stream;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::{message, options, transcript};

use crate::cli::Options;

fn main() -> ExitCode {
    exit::report(env!("CARGO_BIN_NAME"), run())
}

fn run() -> Result<(), Failure> {
    let options: Options = options::parse()?;
    transcript::to_stderr(options.output)?;
    let message = message::given(options.message, cli::LONGEST_MESSAGE)?;
    if message.is_empty() {
        return Err(Failure::usage("--message", "empty: there is nothing to send"));
    }
    let destination = options.target.resolve()?;
    let reply = destination.try_each(|peer, limit| {
        drive::exchange(peer, destination.source_for(peer), &message, limit)
    })?;
    message::print_reply(&reply, options.output)
}
