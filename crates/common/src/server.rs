//! The server wing: what tcp-server and udp-server share.
//!
//! - [`service`]: the options that both have, and [`guide`]: what `--help` says beside them;
//!   [`listen`]: the sockets they wait on, and [`settings`]: their options.
//! - [`shutdown`]: how signals stop a server; [`notify`]: messages to the service
//!   manager; [`workers`]: one thread for each event loop.
//! - [`transcript`]: the lines that a server prints.
//! - [`goal`]: `--count` and `--idle-exit`; [`interval`]: `--stats`; [`totals`]: the
//!   counters, and the line that prints them.
//! - [`peer`]: who sends; [`reply`]: what is answered; [`rest`]: when to try again
//!   after a failed call, and [`refusals`]: when not to; [`memory`]: whether there is any.

pub mod goal;
pub mod guide;
pub mod interval;
pub mod listen;
pub mod memory;
pub mod notify;
pub mod peer;
pub mod refusals;
pub mod reply;
pub mod rest;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod totals;
pub mod transcript;
pub mod workers;
