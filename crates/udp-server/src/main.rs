//! `udp-server`: the tutorial's `udp_server.py`, on an event loop.
//!
//! It waits for datagrams, and answers each with `Recvice message ok!`.
//!
//! Where the steps of `scripts/tutorial/udp_server.py` are, in its order:
//!
//! | in Python          | here                                                         |
//! |--------------------|--------------------------------------------------------------|
//! | `socket`, `bind`   | [`ServerSocket::bind`], called by way of [`Server::bind`]    |
//! | print "Listening"  | [`Server::announce`]                                         |
//! | `while True`       | [`EventLoop::run`], in [`Server::serve`]                     |
//! | print "Waiting"    | [`EventLoop::run`], before it sleeps                         |
//! | `recvfrom`         | [`EventLoop::receive`]: a batch, with [`Batch::receive`]     |
//! | print the datagram | [`EventLoop::answer`], which then asks the [`guard`]         |
//! | `sendto`           | [`EventLoop::answer`]: a batch, with [`ReplyBatch::send`]    |
//! | no `close`         | at the end, when the [`Server`] is dropped with its sockets  |
//!
//! [`ServerSocket::bind`]: socket::ServerSocket::bind
//! [`EventLoop::run`]: event_loop::EventLoop::run
//! [`EventLoop::receive`]: event_loop::EventLoop::receive
//! [`EventLoop::answer`]: event_loop::EventLoop::answer
//! [`Batch::receive`]: batch::Batch::receive
//! [`ReplyBatch::send`]: replies::ReplyBatch::send

mod batch;
mod cli;
mod drops;
mod dscp;
mod event_loop;
mod events;
mod family;
mod groups;
mod guard;
mod headers;
mod limits;
mod rates;
mod replies;
mod seen;
mod server;
mod setup;
mod shared;
mod socket;
mod totals;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::output::Output;
#[cfg(doc)] // The trait of `ServerSocket::bind`, for the link above.
use common::server::listen::BoundSocket;
use common::server::shutdown::Shutdown;
use common::server::transcript::Transcript;
use common::{descriptors, options, signals};

use crate::cli::Options;
use crate::server::Server;

fn main() -> ExitCode {
    signals::set_up();
    let mut output = Output::default();
    let result = options::parse(&cli::GUIDE).and_then(|options: Options| {
        output = options.service.output;
        run(&options)
    });
    exit::report_in_time(env!("CARGO_BIN_NAME"), output, result)
}

/// Binds, and then serves until a signal, a broken pipe, `--count` or `--idle-exit`
/// stops the server, or until an event loop fails.
fn run(options: &Options) -> Result<(), Failure> {
    descriptors::raise_limit();
    let shutdown = Shutdown::on_signals()?;
    let mut server = Server::bind(options)?;
    shutdown.set_wakers(server.wakers()?);
    let transcript = Transcript::new(options.service.output)?;
    let ended = server.serve(&shutdown, &transcript)?;
    server.print_totals();
    transcript.end(ended.and_then(|()| server.check_goal(&shutdown)))
}
