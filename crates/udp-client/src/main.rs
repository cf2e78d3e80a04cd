//! `udp-client`: the tutorial's `udp_client.py`.
//!
//! | `udp_client.py` | here |
//! |---|---|
//! | `socket` | [`port::Port::open`], which binds, so that the port is known |
//! | `input` | [`prompt::run`] |
//! | `sendto`, `recvfrom` | [`prober::Prober::exchange`], by [`exchange::Exchange::step`] |
//! | `print` | [`Reporter::exchange`](common::probe::report::Reporter::exchange) |

mod cli;
mod exchange;
mod port;
mod ports;
mod prober;
mod prompt;
#[cfg(test)]
mod scenarios;
mod source_port;

use std::process::ExitCode;
use std::time::Instant;

use common::exit::{self, Failure};
use common::output::Output;
use common::probe::report::Reporter;
use common::probe::run::Run;
use common::probe::target::Resolved;
use common::{logging, options};

use crate::cli::{Options, Task};
use crate::prober::Prober;

const PROGRAM: &str = env!("CARGO_BIN_NAME");

fn main() -> ExitCode {
    let mut output = Output::default();
    let result = options::parse().and_then(|options: Options| {
        output = options.reporting.output;
        run(&options)
    });
    exit::report(PROGRAM, output, result)
}

fn run(options: &Options) -> Result<(), Failure> {
    let Options { target, persistence, reporting, .. } = options;
    logging::to_stderr(reporting.output)?;
    let task = options.task()?;
    let reporter = Reporter::new(target.written()?, reporting);
    let mut prober = Prober::new(target, reporting.expected_reply())?;
    match task {
        Task::Prompt => {
            let destination = match target.resolve(None)? {
                Resolved::Destination(destination) => destination,
                Resolved::Nowhere(outcome) => return reporter.exchange(&outcome.into()),
            };
            let say = |failure: &Failure| exit::say(PROGRAM, reporting.output, failure);
            prompt::run(&mut prober, &destination, &reporter, say)
        }
        Task::Exchange(datagram) => {
            persistence.run(&reporter, |end| match target.resolve(end)? {
                Resolved::Destination(destination) => prober.exchange(&destination, &datagram, end),
                Resolved::Nowhere(outcome) => Ok(outcome.into()),
            })
        }
        Task::Measure(datagram, plan) => {
            let end = persistence.end(Instant::now());
            let destination = match target.resolve(end)? {
                Resolved::Destination(destination) => destination,
                Resolved::Nowhere(outcome) => return reporter.exchange(&outcome.into()),
            };
            prober.stop_on_signals()?;
            let mut run = Run::new(destination, plan, reporter, Instant::now(), end);
            prober.drive(&mut run, &datagram)?;
            run.conclude(Instant::now())
        }
    }
}
