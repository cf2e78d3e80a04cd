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
mod stream;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::options;
use common::shutdown::Shutdown;
use common::transcript::Transcript;

use crate::cli::Options;
use crate::server::Server;

fn main() -> ExitCode {
    exit::report(env!("CARGO_BIN_NAME"), run())
}

fn run() -> Result<(), Failure> {
    let options: Options = options::parse()?;
    limits::raise_descriptor_limit();
    let server = Server::listen(&options)?;
    let shutdown = Shutdown::on_signals(server.waker()?)?;
    let transcript = Transcript::start(options.output, shutdown.clone())?;
    server.run(&shutdown, &transcript)
}
