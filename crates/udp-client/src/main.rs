//! `udp-client`: the tutorial's `udp_client.py`.
//!
//! It sends each line typed at its prompt as a datagram, and prints the reply;
//! with `--message` it sends just that.

mod cli;
mod exchange;
mod port;
mod prober;
mod prompt;

use std::process::ExitCode;
use std::time::Instant;

use common::exit::{self, Failure};
use common::output::Output;
use common::probe::report::Reporter;
use common::probe::run::Run;
use common::{logging, options};

use crate::cli::Options;
use crate::prober::Prober;

const PROGRAM: &str = env!("CARGO_BIN_NAME");

fn main() -> ExitCode {
    let mut output = Output::default();
    let result = options::parse().and_then(|options: Options| {
        output = options.reporting.output;
        run(options)
    });
    exit::report(PROGRAM, output, result)
}

fn run(options: Options) -> Result<(), Failure> {
    logging::to_stderr(options.reporting.output)?;
    let datagram = options.datagram()?;
    let Options { target, probing, persistence, reporting, .. } = options;
    let reporter = Reporter::new(target.written()?, reporting);
    let mut prober = Prober::new()?;
    let Some(datagram) = datagram else {
        return prompt::run(&mut prober, &target, &reporter);
    };
    let Some(plan) = probing.plan()? else {
        return persistence.run(&reporter, |end| match target.resolve(end)? {
            Ok(destination) => prober.exchange(&destination, &datagram, end),
            Err(nowhere) => Ok(nowhere.into()),
        });
    };
    let end = persistence.end(Instant::now());
    let Some(destination) = reporter.destination(target.resolve(end)?)? else {
        return Ok(());
    };
    prober.stop_on_signals()?;
    let mut run = Run::new(&destination, plan, reporter, Instant::now(), end);
    prober.drive(&mut run, &destination, &datagram)?;
    run.conclude(Instant::now())
}
