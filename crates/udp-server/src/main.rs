//! `udp-server`: the tutorial's `udp_server.py`, on an event loop.
//!
//! It waits for datagrams, and answers each with `Recvice message ok!`.

mod cli;
mod events;
mod limits;
mod listener;
mod server;

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
    let server = Server::listen(&options)?;
    let shutdown = Shutdown::on_signals(server.waker()?)?;
    let transcript = Transcript::start(options.output, shutdown.clone())?;
    server.run(&shutdown, &transcript)
}
