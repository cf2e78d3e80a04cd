//! What this server prints: one function an event, all its wording here.
//!
//! The first three are the tutorial's lines. `[!]` marks what did not go well.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use common::exit::reason;
use common::printable::printable;
use log::{debug, info, warn};

use crate::limits::READ_TIMEOUT;

/// What was done, to be told at the end. Every connection that is over is
/// answered, lost or silent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub connections: u64,
    pub answered: u64,
    pub lost: u64,
    pub silent: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, answered, lost, silent } = self;
        let s = if *connections == 1 { "" } else { "s" };
        write!(f, "{connections} connection{s}: {answered} answered, {lost} lost, {silent} silent")
    }
}

pub fn listening(address: SocketAddr) {
    info!("[*] Listening on {address}");
}

pub fn accepted(peer: SocketAddr) {
    info!("[*] Accept connection from: {peer}");
}

pub fn received(message: &[u8]) {
    info!("[*] Received: {}", printable(message));
}

pub fn answered(peer: SocketAddr) {
    debug!("[*] Answered: {peer}");
}

pub fn lost(peer: SocketAddr, error: &io::Error) {
    info!("[!] Lost: {peer}: {}", reason(error));
}

pub fn gave_up_on_silent(peer: SocketAddr) {
    info!("[!] Gave up on: {peer}: silent for {} seconds", READ_TIMEOUT.as_secs());
}

pub fn gone_before_accept(error: &io::Error) {
    debug!("[!] A connection was gone before it was accepted: {}", reason(error));
}

pub fn cannot_accept(error: &io::Error) {
    warn!("[!] Cannot accept for the moment: {}", reason(error));
}

pub fn stopped(totals: Totals) {
    info!("[*] Stopped: {totals}");
}
