//! What the four programs of getthrough share.
//!
//! Nothing is here that only one program needs, and no event loop: the two
//! servers' loops are short, and clearer when they are read side by side.
//!
//! - [`protocol`]: the tutorial's addresses, sizes and strings.
//! - [`address`], [`listen`]: what users write, and listening on it.
//! - [`peer`]: who sends.
//! - [`duration`], [`options`]: the parts of the command line that are alike.
//! - [`printable`]: a peer's bytes as safe text.
//! - [`transcript`]: the lines a program prints, as text or JSON, and how they get out.
//! - [`service`]: the options that both servers have; [`goal`], [`interval`],
//!   [`reply`], [`workers`], [`notify`], [`source`], [`counter`],
//!   [`descriptors`]: what they ask for.
//! - [`rest`]: when to try again what failed.
//! - [`shutdown`]: how signals end a server.
//! - [`exit`]: one line for the user, and an exit status.
//! - `probe` (feature `probe`), for the clients: what they make of what comes back.
//!   `target`, `destination`: what they go to, and its addresses in order; `message`: what they
//!   send, and print of the answer; `persistence`: how often they try; `error_queue`: what the kernel knows of ICMP errors.
//! - `testing` (feature `testing`): the harness of the black-box tests.

pub mod address;
#[cfg(feature = "probe")]
mod alarm;
pub mod counter;
pub mod descriptors;
#[cfg(feature = "probe")]
pub mod destination;
pub mod duration;
#[cfg(feature = "probe")]
pub mod error_queue;
pub mod exit;
pub mod goal;
#[cfg(feature = "probe")]
mod interrupt;
pub mod interval;
mod json;
pub mod listen;
#[cfg(feature = "probe")]
pub mod message;
pub mod notify;
pub mod options;
mod outbox;
pub mod peer;
pub mod percent;
#[cfg(feature = "probe")]
pub mod persistence;
#[cfg(feature = "probe")]
pub mod poller;
pub mod printable;
mod printer;
#[cfg(feature = "probe")]
pub mod probe;
pub mod protocol;
pub mod reply;
pub mod rest;
pub mod service;
pub mod shutdown;
pub mod source;
mod stdout;
#[cfg(feature = "probe")]
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transcript;
pub mod workers;
