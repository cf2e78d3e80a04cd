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
use common::probe::outcome::Outcome;
use common::probe::report::Reporter;
use common::protocol::MAX_DATAGRAM;
use common::{message, options, transcript};

use crate::cli::Options;
use crate::flow::Session;

const PROGRAM: &str = env!("CARGO_BIN_NAME");

fn main() -> ExitCode {
    exit::report(PROGRAM, run())
}

fn run() -> Result<(), Failure> {
    let Options { target, message, persistence, reporting } = options::parse()?;
    exit::tell_as(reporting.output);
    transcript::to_stderr(reporting.output)?;
    let reporter = Reporter::new(target.written()?, reporting);
    let Some(text) = message else {
        if persistence.is_given() {
            return Err(Failure::usage("--wait, --deadline", "only with --message"));
        }
        let destination = target.resolve(None)?;
        if let Err(trouble) = destination.addresses() {
            return reporter.tell(&[Outcome::failed(None, trouble.clone())]);
        }
        return prompt::run(Session::new(destination), &reporter);
    };
    let datagram = message::given(text, MAX_DATAGRAM)?;
    persistence.run(&reporter, |end| Ok(Session::new(target.resolve(end)?).exchange(&datagram)))
}
