//! `tcp-server`: the tutorial's `tcp_server.py`, on an event loop.
//!
//! It listens, and answers the first message of each connection with `ACK!`.

mod cli;
mod connection;
mod connections;
mod events;
mod limits;
mod listener;
mod server;
mod sources;
mod totals;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::output::Output;
use common::server::shutdown::Shutdown;
use common::server::transcript::Transcript;
use common::server::{notify, workers};
use common::{descriptors, options};

use crate::cli::Options;
use crate::server::{Server, Shared};

fn main() -> ExitCode {
    let mut output = Output::default();
    let result = options::parse().and_then(|options: Options| {
        output = options.service.output;
        run(&options)
    });
    exit::report(env!("CARGO_BIN_NAME"), output, result)
}

fn run(options: &Options) -> Result<(), Failure> {
    let service = &options.service;
    descriptors::raise_limit();
    let listeners = service.listen.bind(options.workers())?;
    let shared = Shared::new(options, listeners.iter().map(Vec::len).sum());
    let mut servers = Server::each(listeners, options, &shared)?;
    let wakers = servers.iter().map(Server::waker).collect::<Result<_, _>>()?;
    let shutdown = Shutdown::on_signals(wakers)?;
    let transcript = {
        let shutdown = shutdown.clone();
        Transcript::start(service.output, move || shutdown.request())?
    };
    servers[0].announce();
    notify::ready();
    let ran = workers::run(&mut servers, &shutdown, |server| server.run(&shutdown, &transcript));
    events::stopped(&shared.totals);
    transcript.end(ran.and_then(|()| shared.verdict()))
}
