//! `tcp-client`: the tutorial's `tcp_client.py`.
//!
//! It connects, sends a message, and prints the reply.
//!
//! Where the steps of `scripts/tutorial/tcp_client.py` are, in its order:
//!
//! | in Python           | here                                                         |
//! |---------------------|--------------------------------------------------------------|
//! | `main`              | [`Prober::exchange`], whose loop is [`Prober::drive`]        |
//! | `socket`, `connect` | [`Connection::connect`], called by [`Prober::connect`]       |
//! | `sendall`           | [`Exchange::send`]                                           |
//! | `recv`              | [`Exchange::receive`]                                        |
//! | print the reply     | [`Reporter::exchange`], in `common`                          |
//! | `close`, by `with`  | [`Attempt::close`]                                           |
//!
//! [`Connection::connect`]: stream::Connection::connect
//! [`Exchange::send`]: exchange::Exchange::send
//! [`Exchange::receive`]: exchange::Exchange::receive
//! [`Attempt::close`]: attempt::Attempt::close

mod attempt;
mod cli;
mod exchange;
mod flows;
mod prober;
mod searching;
mod segments;
mod silence;
mod stream;
mod task;
mod tcp_info;
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
    let Task { message, padding, times } = options.task(end)?;
    let target = &persistence.with_turns(target);
    let reporter = Reporter::new(PROGRAM, target.written()?, reporting).with_padding(padding);
    match times {
        Times::Once => {
            let mut prober = Prober::new(target, options.request(&message, task::WHOLE))?;
            persistence::once(end, &reporter, || match resolve(target, end)? {
                Resolved::Destination(destination) => {
                    prober.exchange(destination, end, reporter.wanted())
                }
                Resolved::Nowhere(outcome) => Ok(outcome.into()),
            })
        }
        Times::Wait => {
            let mut prober = Prober::new(target, options.request(&message, task::WHOLE))?;
            Waiting::new(target, *persistence, end, &reporter).run(|run| prober.drive(run))
        }
        Times::Measure(plan) => {
            let request = options.request(&message, task::in_a_run(&plan));
            let prober = || Prober::new(target, request);
            Measuring::new(target, plan, reporter, end).run(prober, Prober::drive_to_the_end)
        }
    }
}
