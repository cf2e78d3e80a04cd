//! `tcp-client`: the tutorial's `tcp_client.py`.
//!
//! It connects, sends a message, and prints the reply.

mod cli;
mod drive;
mod exchange;
mod stream;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::probe::report::Reporter;
use common::{message, options, transcript};

use crate::cli::Options;
use crate::drive::Order;

fn main() -> ExitCode {
    exit::report(env!("CARGO_BIN_NAME"), run())
}

fn run() -> Result<(), Failure> {
    let Options { target, message, half_close, persistence, reporting } = options::parse()?;
    exit::tell_as(reporting.output);
    transcript::to_stderr(reporting.output)?;
    let message = message::given(message, cli::LONGEST_MESSAGE)?;
    if message.is_empty() && !half_close {
        let reason = "empty: there is nothing to send, unless --half-close sends the end";
        return Err(Failure::usage("--message", reason));
    }
    let order = Order { message: &message, half_close, hoped: reporting.hoped() };
    let reporter = Reporter::new(target.written()?, reporting.clone());
    persistence.run(&reporter, |end| {
        let destination = target.resolve(end)?;
        Ok(destination.try_each(|peer, limit| {
            drive::exchange(peer, destination.source_for(peer), order, limit)
        }))
    })
}
