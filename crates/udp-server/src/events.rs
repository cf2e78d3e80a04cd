//! What this server prints: one function for each event, with all the wording.
//!
//! Each call holds both the line for people and the fields of the JSON object
//! (docs/json.md). `Waiting for message...` and the two lines of a datagram are the
//! tutorial's. `[!]` marks what did not go well.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use common::exit::reason;
use common::printable::{framed, printable};
use common::protocol::BUFFER_SIZE;
use common::server::peer::Peer;
use log::{Level, debug, info, log, log_enabled, warn};

use crate::guard::Cause;
use crate::totals::Totals;

pub fn listening(address: SocketAddr) {
    let address = address.to_string();
    info!(event = "listening", address = address.as_str(); "[*] Listening on {address}");
}

pub fn cannot_set(option: &str, reason: &str) {
    debug!(event = "cannot_set", option, reason; "[*] Cannot set {option}: {reason}");
}

pub fn may_amplify(request_bytes: usize, reply_bytes: usize) {
    warn!(
        event = "may_amplify", request_bytes, reply_bytes;
        "[!] A reply of up to {reply_bytes} bytes goes out for a request of {request_bytes} on the \
         wire: --rate keeps that from being abused"
    );
}

pub fn waiting() {
    info!(event = "waiting"; "[*] Waiting for message...");
}

/// What a line of this server begins with, in the transcript and on standard error.
const BEGINNINGS: &[&str] = &["[", concat!(env!("CARGO_BIN_NAME"), ":")];

/// Prints both lines as one record, so that nothing comes between them. The second one is the
/// peer's, and does not look like one of ours.
pub fn received(peer: &Peer, datagram: &[u8]) {
    // With -q, to make the text would be most of the work.
    if !log_enabled!(Level::Info) {
        return;
    }
    let shown = &datagram[..datagram.len().min(BUFFER_SIZE)];
    let text = printable(shown).text();
    let line = framed::alone(&text, shown.len(), datagram.len(), BEGINNINGS);
    let peer = peer.text();
    let peer = peer.as_str();
    info!(
        event = "received", peer, bytes = datagram.len(), message = &*text;
        "[*] Received from: {peer}\n{line}"
    );
}

pub fn answered(peer: &Peer) {
    debug!(event = "answered", peer = peer.text().as_str(); "[*] Answered: {peer}");
}

pub fn unanswered(peer: &Peer, error: &io::Error) {
    let reason = || match error.kind() {
        ErrorKind::WouldBlock => "the send buffer is full: the way out is too slow".to_owned(),
        _ => reason(error),
    };
    info!(
        event = "unanswered", peer = peer.text().as_str(), reason = reason().as_str();
        "[!] Could not answer: {peer}: {}", reason()
    );
}

/// Prints that a datagram came too late: it was there when the run was over.
pub fn left_unanswered(peer: &Peer) {
    const REASON: &str = "--count was reached";
    info!(event = "unanswered", peer = peer.text().as_str(), reason = REASON; "[!] Not answered: {peer}: {REASON}");
}

/// Prints why a datagram is not answered. The caller chooses the `level`, so that
/// warnings are not repeated too often.
pub fn dropped(level: Level, peer: &Peer, cause: Cause) {
    let (name, words) = match cause {
        Cause::OwnReply => ("own_reply", "it sent what a server answers, which could be a loop"),
        Cause::LowPort => ("low_port", "its port is a service's; --allow-low-ports answers it"),
        Cause::UnusableSource => ("unusable_source", "no host has this address and port"),
        Cause::Rate => ("rate", "its source has had its --rate"),
    };
    log!(level, event = "dropped", peer = peer.text().as_str(), cause = name; "[!] Not answered: {peer}: {words}");
}

pub fn cannot_receive(error: &io::Error) {
    warn!(
        event = "cannot_receive", reason = reason(error).as_str();
        "[!] Cannot receive for the moment: {}", reason(error)
    );
}

pub fn stats(totals: &Totals) {
    print_totals(Level::Warn, "stats", "So far", totals, totals.kernel.get_soon());
}

pub fn stopped(totals: &Totals) {
    // With -q, the kernel's tables are not read for nothing.
    if log_enabled!(Level::Info) {
        print_totals(Level::Info, "stopped", "Stopped", totals, totals.kernel.get());
    }
}

/// `--stats` prints at the level of warnings, for the user asked for it: `-q` does
/// not hide it.
fn print_totals(
    level: Level,
    event: &str,
    headline: &str,
    totals: &Totals,
    dropped_kernel: Option<u64>,
) {
    log!(
        level,
        event,
        datagrams = totals.datagrams.get(),
        exchanges = totals.exchanges.get(),
        bytes_received = totals.bytes_received.get(),
        bytes_sent = totals.bytes_sent.get(),
        unanswered = totals.unanswered.get(),
        dropped_own_reply = totals.own_reply.get(),
        dropped_low_port = totals.low_port.get(),
        dropped_unusable_source = totals.unusable_source.get(),
        dropped_rate = totals.rate.get(),
        dropped_kernel;
        "[*] {headline}: {}", totals.line(dropped_kernel)
    );
}
