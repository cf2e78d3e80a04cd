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
mod stream;
mod totals;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::shutdown::Shutdown;
use common::transcript::Transcript;
use common::{descriptors, notify, options, workers};

use crate::cli::Options;
use crate::server::{Server, Shared};

fn main() -> ExitCode {
    exit::report(env!("CARGO_BIN_NAME"), run())
}

fn run() -> Result<(), Failure> {
    let options: Options = options::parse()?;
    let service = &options.service;
    exit::tell_as(service.output);
    descriptors::raise_limit();
    let listeners = service.listen.open(options.workers())?;
    let shared = Shared::new(&options, listeners.iter().map(Vec::len).sum());
    let mut servers = Server::each(listeners, &options, &shared)?;
    let wakers = servers.iter().map(Server::waker).collect::<Result<_, _>>()?;
    let shutdown = Shutdown::on_signals(wakers)?;
    let transcript = Transcript::start(service.output, shutdown.clone())?;
    servers[0].announce();
    notify::ready();
    let ran = workers::run(&mut servers, &shutdown, |server| server.run(&shutdown, &transcript));
    events::stopped(&shared.totals);
    transcript.end(ran.and_then(|()| shared.verdict()))
}
