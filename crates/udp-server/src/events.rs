//! What this server prints: one function an event, all its wording here.
//!
//! `Waiting for message...` and the two lines of a datagram are the
//! tutorial's. `[!]` marks what did not go well.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use common::exit::reason;
use common::printable::message;
use common::protocol::BUFFER_SIZE;
use log::{debug, info, warn};

/// What was done, to be told at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub answered: u64,
    pub unanswered: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, unanswered } = self;
        let datagrams = answered + unanswered;
        let s = if datagrams == 1 { "" } else { "s" };
        write!(f, "{datagrams} datagram{s}: {answered} answered, {unanswered} unanswered")
    }
}

pub fn listening(address: SocketAddr) {
    info!("[*] Listening on {address}");
}

pub fn waiting() {
    info!("[*] Waiting for message...");
}

/// One record, so that nothing comes between its lines.
pub fn received(peer: SocketAddr, datagram: &[u8]) {
    info!("[*] Received from: {peer}\n{}", message(datagram, BUFFER_SIZE));
}

pub fn answered(peer: SocketAddr) {
    debug!("[*] Answered: {peer}");
}

pub fn unanswered(peer: SocketAddr, error: &io::Error) {
    info!("[!] Could not answer: {peer}: {}", reason(error));
}

pub fn cannot_receive(error: &io::Error) {
    warn!("[!] Cannot receive for the moment: {}", reason(error));
}

pub fn stopped(totals: Totals) {
    info!("[*] Stopped: {totals}");
}
