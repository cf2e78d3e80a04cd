//! What this server prints: one function for each event, with all the wording.
//!
//! Each call holds both the line for people and the fields of the JSON object
//! (docs/json.md). The first three lines are the tutorial's. `[!]` marks what did not
//! go well.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use common::duration::words;
use common::exit::reason;
use common::printable::{framed, printable};
use common::server::peer::Peer;
use log::{Level, debug, info, log, log_enabled, warn};

use crate::limits::Limit;
use crate::totals::Totals;

#[cfg(test)]
mod counts;

pub fn listening(address: SocketAddr) {
    let address = address.to_string();
    info!(event = "listening", address = address.as_str(); "[*] Listening on {address}");
}

pub fn cannot_set(option: &str, reason: &str) {
    debug!(event = "cannot_set", option, reason; "[*] Cannot set {option}: {reason}");
}

pub fn accepted(peer: &Peer) {
    if !log_enabled!(Level::Info) {
        return;
    }
    let text = peer.text();
    let peer = text.as_str();
    info!(event = "accepted", peer; "[*] Accept connection from: {peer}");
}

pub fn received(peer: &Peer, message: &[u8]) {
    // With -q, to make the text would be most of the work.
    if !log_enabled!(Level::Info) {
        return;
    }
    let text = printable(message).text();
    let line = framed::at_end(&text, message.len(), message.len());
    info!(
        event = "received", peer = peer.text().as_str(), bytes = message.len(), message = &*text;
        "[*] Received: {line}"
    );
}

pub fn answered(peer: &Peer) {
    debug!(event = "answered", peer = peer.text().as_str(); "[*] Answered: {peer}");
}

pub fn unanswered(peer: &Peer) {
    const REASON: &str = "--count was reached";
    info!(event = "unanswered", peer = peer.text().as_str(), reason = REASON; "[!] Not answered: {peer}: {REASON}");
}

pub fn lost(peer: &Peer, error: &io::Error) {
    info!(
        event = "lost", peer = peer.text().as_str(), reason = reason(error).as_str();
        "[!] Lost: {peer}: {}", reason(error)
    );
}

pub fn timed_out(peer: &Peer, after: Duration) {
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    info!(
        event = "timed_out", peer = peer.text().as_str(), after_ms;
        "[!] Gave up on: {peer}: silent for {}", words(after)
    );
}

pub fn evicted(peer: &Peer) {
    info!(event = "evicted", peer = peer.text().as_str(); "[!] Evicted: {peer}: silent, and another one needs its place");
}

pub fn refused(peer: &Peer, limit: Limit) {
    let (name, most) = match limit {
        Limit::Connections { most, .. } => ("max_connections", most),
        Limit::PerSource { most } => ("max_per_source", most),
    };
    let words = || match limit {
        Limit::Connections { share, .. } if share < most => {
            format!("its event loop has its share of --max-connections {most}, and none is silent")
        }
        Limit::Connections { .. } => format!("--max-connections {most}, and none is silent"),
        Limit::PerSource { .. } => format!("--max-per-source {most}"),
    };
    info!(
        event = "refused", peer = peer.text().as_str(), limit = name, most;
        "[!] Refused: {peer}: {}", words()
    );
}

pub fn gone_before_accept(error: &io::Error) {
    debug!(
        event = "gone_before_accept", reason = reason(error).as_str();
        "[!] A connection was gone before it was accepted: {}", reason(error)
    );
}

pub fn cannot_accept(error: &io::Error) {
    warn!(
        event = "cannot_accept", reason = reason(error).as_str();
        "[!] Cannot accept for the moment: {}", reason(error)
    );
}

pub fn stats(totals: &Totals) {
    print_totals(Level::Warn, "stats", "So far", totals);
}

pub fn stopped(totals: &Totals) {
    print_totals(Level::Info, "stopped", "Stopped", totals);
}

/// `--stats` prints at the level of warnings, for the user asked for it: `-q` does
/// not hide it.
fn print_totals(level: Level, event: &str, headline: &str, totals: &Totals) {
    log!(
        level,
        event,
        connections = totals.connections.get(),
        exchanges = totals.exchanges.get(),
        bytes_received = totals.bytes_received.get(),
        bytes_sent = totals.bytes_sent.get(),
        refused = totals.refused.get(),
        timed_out = totals.timed_out.get(),
        evicted = totals.evicted.get(),
        lost = totals.lost.get(),
        unanswered = totals.unanswered.get(),
        silent = totals.silent.get();
        "[*] {headline}: {}", totals.line()
    );
}
