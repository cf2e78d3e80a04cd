//! `udp-client`: the tutorial's `udp_client.py`.
//!
//! It sends each line that is typed at its prompt, and prints the replies.
//!
//! Where the steps of `scripts/tutorial/udp_client.py` are, in its order:
//!
//! | in Python         | here                                                           |
//! |-------------------|----------------------------------------------------------------|
//! | `socket`          | [`Opener::open`], which also binds: so the port is known       |
//! | `while True`      | [`prompt::run`]                                                |
//! | `input`           | [`prompt::read_line`]                                          |
//! | the exchange      | [`Prober::exchange`], whose loop is [`Prober::drive`]          |
//! | `sendto`          | [`Exchange::send`]                                             |
//! | `recvfrom`        | [`Exchange::receive`]                                          |
//! | print the reply   | [`Reporter::exchange`], in `common`                            |
//! | `close`, by `with`| at the end, when the [`Prober`] is dropped with its ports      |
//!
//! [`Opener::open`]: port::Opener::open
//! [`Exchange::send`]: exchange::Exchange::send
//! [`Exchange::receive`]: exchange::Exchange::receive

mod account;
mod cli;
mod directions;
mod exchange;
mod numbers;
mod port;
mod ports;
mod prober;
mod prompt;
#[cfg(test)]
mod scenarios;
mod socket;
mod source_port;
mod task;
mod tracing;

use std::process::ExitCode;
use std::time::Instant;

use common::exit::{self, Failure};
use common::output::Output;
use common::probe::extras::{self, Extra};
use common::probe::interrupt;
use common::probe::measuring::Measuring;
use common::probe::persistence;
use common::probe::report::Reporter;
use common::probe::resolving::resolve;
use common::probe::target::Resolved;
use common::probe::verbose;
use common::probe::waiting::Waiting;
use common::{logging, options, signals};

use crate::cli::Options;
use crate::prober::Prober;
use crate::task::{Task, Times};

const PROGRAM: &str = env!("CARGO_BIN_NAME");

fn main() -> ExitCode {
    signals::set_up();
    let mut output = Output::default();
    let result = options::parse(&cli::GUIDE).and_then(|options: Options| {
        output = options.reporting.output;
        run(&options)
    });
    exit::report(PROGRAM, output, result, verbose::wait_for_room)
}

fn run(options: &Options) -> Result<(), Failure> {
    let Options { target, probing, persistence, reporting, .. } = options;
    logging::to_stderr(reporting.output, verbose::wait_for_room)?;
    extras::have(Extra::Signals, interrupt::listen(probing.is_given()));
    let end = persistence.end(Instant::now());
    let Task { datagram, padding, times } = &options.task(end)?;
    let target = &persistence.with_turns(target);
    let reporter = Reporter::new(PROGRAM, target.written()?, reporting).with_padding(*padding);
    let prober = || Prober::new(target, times.plan(), reporting.expected_reply());
    match times {
        Times::Prompt => {
            let mut prober = prober()?;
            let destination = match resolve(target, None)? {
                Resolved::Destination(destination) => destination,
                Resolved::Nowhere(outcome) => return reporter.exchange(&outcome.into()),
            };
            let say = |failure: &Failure| {
                exit::say(PROGRAM, reporting.output, failure, verbose::wait_for_room)
            };
            prompt::run(&mut prober, destination, &reporter, say)
        }
        Times::Once => {
            let mut prober = prober()?;
            persistence::once(end, &reporter, || match resolve(target, end)? {
                Resolved::Destination(destination) => {
                    prober.exchange(&destination, datagram, end, reporter.wanted())
                }
                Resolved::Nowhere(outcome) => Ok(outcome.into()),
            })
        }
        Times::Wait => {
            let mut prober = prober()?;
            let waiting = Waiting::new(target, *persistence, end, &reporter);
            waiting.run(|run| prober.drive(run, datagram))
        }
        Times::Measure(plan) => Measuring::new(target, *plan, reporter, end)
            .run(prober, |prober, run| prober.measure(run, datagram)),
    }
}
