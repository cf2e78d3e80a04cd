//! `tcp-client`: the tutorial's `tcp_client.py`.
//!
//! It connects, sends a message, and prints the reply.

mod attempt;
mod cli;
mod exchange;
mod prober;
mod stream;

use std::process::ExitCode;
use std::time::Instant;

use common::exit::{self, Failure};
use common::output::Output;
use common::probe::report::Reporter;
use common::probe::run::Run;
use common::{logging, options};

use crate::attempt::Order;
use crate::cli::Options;
use crate::prober::Prober;

fn main() -> ExitCode {
    let mut output = Output::default();
    let result = options::parse().and_then(|options: Options| {
        output = options.reporting.output;
        run(options)
    });
    exit::report(env!("CARGO_BIN_NAME"), output, result)
}

fn run(options: Options) -> Result<(), Failure> {
    logging::to_stderr(options.reporting.output)?;
    let message = options.message()?;
    let Options { target, half_close, probing, persistence, reporting, .. } = options;
    let reporter = Reporter::new(target.written()?, reporting.clone());
    let mut prober =
        Prober::new(Order { message: &message, half_close, hoped: reporting.hoped() })?;
    let Some(plan) = probing.plan()? else {
        return persistence.run(&reporter, |end| match target.resolve(end)? {
            Ok(destination) => prober.exchange(&destination, end),
            Err(nowhere) => Ok(nowhere.into()),
        });
    };
    let end = persistence.end(Instant::now());
    let Some(destination) = reporter.destination(target.resolve(end)?)? else {
        return Ok(());
    };
    prober.stop_on_signals()?;
    let mut run = Run::new(&destination, plan, reporter, Instant::now(), end);
    prober.drive(&mut run, &destination)?;
    run.conclude(Instant::now())
}
