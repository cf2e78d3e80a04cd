//! `tcp-server`: the tutorial's `tcp_server.py`, on an event loop.
//!
//! It listens, and answers the first message of each connection with `ACK!`.
//!
//! Where the steps of `scripts/tutorial/tcp_server.py` are, in its order:
//!
//! | in Python                  | here                                                       |
//! |----------------------------|------------------------------------------------------------|
//! | `socket`, `bind`, `listen` | [`Listener::bind`], called by way of [`Server::listen`]    |
//! | print "Listening"          | [`Server::announce`]                                       |
//! | `while True`               | [`EventLoop::run`], in [`Server::serve`]                   |
//! | `accept`                   | [`EventLoop::accept`], with [`Listener::accept`]           |
//! | `Thread(target=serve)`     | [`EventLoop::serve`]: not a thread, but some steps a turn  |
//! | `recv`                     | [`Connection::receive_message`]                            |
//! | print "Received"           | [`EventLoop::serve`], which also makes the reply           |
//! | `sendall`                  | [`Connection::send_reply`]                                 |
//! | `close`, by `with`         | [`Connection::end_reply`], and later [`EventLoop::close`]  |
//!
//! [`Listener::bind`]: listener::Listener::bind
//! [`Listener::accept`]: listener::Listener::accept
//! [`EventLoop::run`]: event_loop::EventLoop::run
//! [`EventLoop::accept`]: event_loop::EventLoop::accept
//! [`EventLoop::serve`]: event_loop::EventLoop::serve
//! [`EventLoop::close`]: event_loop::EventLoop::close
//! [`Connection::receive_message`]: connection::Connection::receive_message
//! [`Connection::send_reply`]: connection::Connection::send_reply
//! [`Connection::end_reply`]: connection::Connection::end_reply

mod cli;
mod connection;
mod connections;
mod departures;
mod event_loop;
mod events;
mod limits;
mod listener;
mod newcomers;
mod queues;
mod server;
mod setup;
mod shared;
mod sources;
mod totals;

use std::process::ExitCode;

use common::exit::{self, Failure};
use common::output::Output;
#[cfg(doc)] // The trait of `Listener::bind`, for the link above.
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

/// Listens, and then serves until a signal, a broken pipe, `--count` or `--idle-exit`
/// stops the server, or until an event loop fails.
fn run(options: &Options) -> Result<(), Failure> {
    descriptors::raise_limit();
    let shutdown = Shutdown::on_signals()?;
    let mut server = Server::listen(options)?;
    shutdown.set_wakers(server.wakers()?);
    let transcript = Transcript::new(options.service.output)?;
    let ended = server.serve(&shutdown, &transcript)?;
    server.print_totals();
    transcript.end(ended.and_then(|()| server.check_goal(&shutdown)))
}
