//! The server wing: what tcp-server and udp-server share.
//!
//! - [`service`]: the options that both have; [`listen`]: where they listen.
//! - [`shutdown`]: how signals end a server; [`notify`]: what the service manager
//!   is told; [`workers`]: an event loop a thread.
//! - [`transcript`]: the lines that a server prints.
//! - [`goal`]: `--count` and `--idle-exit`; [`interval`]: `--stats`; [`totals`]: what
//!   was counted.
//! - [`peer`]: who sends; [`reply`]: what is answered; [`rest`]: when to try again
//!   what failed.

pub mod goal;
pub mod interval;
pub mod listen;
pub mod notify;
pub mod peer;
pub mod reply;
pub mod rest;
pub mod service;
pub mod shutdown;
pub mod totals;
pub mod transcript;
pub mod workers;
