//! Probes and runs in words, for people.

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::{Address, Host};
use crate::duration::{self, Millis};
use crate::percent::Percent;
use crate::printable::printable;
use crate::probe::destination::list;
use crate::probe::ledger::times::Times;
use crate::probe::ledger::{Ledger, Share};
use crate::probe::outcome::Ended;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::report::summary::{NOISE, PERCENTILES, Summary};
use crate::probe::stray::{Kind, Stray};

/// How many source ports and hosts are named. More names would hide the rest.
const MOST_NAMED: usize = 8;

/// `refused (a reset came back)`. If the target is a name, each outcome comes after the
/// addresses that had it: `::1: refused (...); 192.0.2.1: no-reply (...)`.
pub(crate) fn words(target: &Address, ended: &Ended) -> String {
    let mut groups: Vec<(String, Vec<SocketAddr>)> = Vec::new();
    for outcome in ended.outcomes() {
        let words = match &outcome.result {
            Ok(_) => Verdict::Ok.to_string(),
            Err(trouble) => trouble.to_string(),
        };
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, addresses)) => addresses.extend(outcome.address),
            None => groups.push((words, outcome.address.into_iter().collect())),
        }
    }
    let is_name = matches!(target.host, Host::Name(_));
    let each = groups.iter().map(|(words, addresses)| {
        let of = if is_name { list(addresses) } else { String::new() };
        if of.is_empty() { words.clone() } else { format!("{of}: {words}") }
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Why an exchange did not come out as expected.
pub(crate) fn failure(target: &Address, ended: &Ended, expected: Verdict) -> String {
    let words = words(target, ended);
    match expected {
        Verdict::Ok => words,
        expected => format!("{words}, and not {expected}"),
    }
}

/// Why an exchange that came out as expected proves nothing.
pub(crate) fn cut_short(target: &Address, ended: &Ended) -> String {
    format!("{}, cut short by the deadline", words(target, ended))
}

/// Why the client gives up.
pub(crate) fn give_up(
    target: &Address,
    ended: &Ended,
    expected: Verdict,
    elapsed: Duration,
) -> String {
    format!("{}, for {}", failure(target, ended, expected), duration::words(elapsed))
}

/// `4 bytes from 127.0.0.1:6666: probe=1 connect=0.123 ms reply=0.084 ms`
pub(crate) fn probe(target: &Address, ended: &Ended, has_flows: bool) -> String {
    let Ended { number, delay, last: outcome, .. } = ended;
    let mut line = match (&outcome.result, outcome.address) {
        (Ok(reply), Some(from)) => format!("{} bytes from {from}: probe={number}", reply.len()),
        _ => format!("{target}: probe={number}"),
    };
    let mut add = |name, time: Option<Duration>| {
        if let Some(time) = time {
            line += &format!(" {name}={} ms", Millis(time));
        }
    };
    add("connect", outcome.connect);
    add("reply", outcome.reply);
    add("delay", delay.filter(|delay| *delay > NOISE));
    if let Some(again @ 1..) = outcome.syn_retransmits {
        line += &format!(" syns={}", again + 1);
    }
    if let (true, Some(local)) = (has_flows, outcome.local) {
        line += &format!(" port={}", local.port());
    }
    if outcome.result.is_err() {
        line += &format!(" {}", words(target, ended));
    }
    line + "\n"
}

/// `127.0.0.1:6666: probe=3 late reply, 1301.251 ms after it was sent`. If `is_last`, the
/// line says that further strays have no lines.
pub(crate) fn stray(stray: &Stray, from: SocketAddr, is_last: bool) -> String {
    let Stray { kind, number, after } = stray;
    let words = match kind {
        Kind::Late | Kind::Duplicate => {
            format!("{} reply, {} ms after it was sent", kind.as_str(), Millis(*after))
        }
        Kind::Foreign => "foreign: not the target's".to_owned(),
    };
    let rest = if is_last { " (more are only counted)" } else { "" };
    format!("{from}: probe={number} {words}{rest}\n")
}

/// `3 of 9 sent: 2 ok, 1 lost, p50 1.234 ms`
pub(crate) fn progress(ledger: &Ledger, all: u64) -> String {
    let (ok, lost) = (ledger.count(Verdict::Ok), ledger.lost());
    let median = ledger.from_sending().percentile(500);
    let median = median.map_or_else(String::new, |time| format!(", p50 {} ms", Millis(time)));
    format!("{} of {all} sent: {ok} ok, {lost} lost{median}", ledger.sent)
}

/// The summary of a run, in several lines.
pub(crate) fn summary(summary: &Summary<'_>) -> String {
    let mut text = heading(summary) + &counts(summary) + &times(summary);
    for remark in remarks(summary) {
        text += &remark;
        text.push('\n');
    }
    text
}

/// `--- box:6666 (192.0.2.1), resolved in 1.234 ms`
fn heading(summary: &Summary<'_>) -> String {
    let mut line = format!("--- {}", summary.target);
    if let (Host::Name(_), Some(address)) = (&summary.target.host, summary.ledger.address) {
        line += &format!(" ({})", address.ip());
    }
    if let Some(resolve) = summary.resolve {
        line += &format!(", resolved in {} ms", Millis(resolve));
    }
    line + "\n"
}

/// `10 sent in 9s: 8 ok, 2 no-reply, 1 late, 10.0 % lost`
fn counts(summary: &Summary<'_>) -> String {
    let Summary { ledger, expected, .. } = summary;
    let mut line = format!("{} sent in {}:", ledger.sent, duration::words(summary.elapsed));
    for verdict in Verdict::ALL {
        let count = ledger.count(verdict);
        if count > 0 || verdict == *expected {
            line += &format!(" {count} {verdict},");
        }
    }
    for (count, what) in [
        (ledger.unfinished(), "unfinished"),
        (ledger.late, "late"),
        (ledger.duplicate, "duplicate"),
        (ledger.foreign, "foreign"),
    ] {
        if count > 0 {
            line += &format!(" {count} {what},");
        }
    }
    let (share, what) = match expected {
        Verdict::Ok => (ledger.lost(), "lost"),
        _ => (ledger.failed, "not as expected"),
    };
    line + &format!(" {} % {what}\n", Percent::of(share, summary.ended()))
}

/// A table with a row for each kind of time.
fn times(summary: &Summary<'_>) -> String {
    let ledger = summary.ledger;
    let mut rows = vec![("connect", &ledger.connect), ("reply", &ledger.reply)];
    if summary.is_behind() {
        let total = (ledger.total.samples() > 0).then_some(("total", &ledger.total));
        rows.extend(total.into_iter().chain([("from due", &ledger.from_due)]));
    }
    rows.retain(|(_, times)| times.samples() > 0);
    if rows.is_empty() {
        return String::new();
    }
    let is_known =
        |thousandths: u64| rows.iter().any(|(_, times)| times.percentile(thousandths).is_some());
    let percentiles: Vec<_> = PERCENTILES.into_iter().filter(|(p, _)| is_known(*p)).collect();
    let mut table = format!("{:<8}", "ms");
    let names = ["min", "mean"].into_iter().chain(percentiles.iter().map(|(_, name)| *name));
    names.chain(["max", "samples"]).for_each(|name| cell(&mut table, name));
    for (name, times) in rows {
        row(&mut table, name, times, &percentiles);
    }
    table + "\n"
}

fn row(table: &mut String, name: &str, times: &Times, percentiles: &[(u64, &str)]) {
    let _ = write!(table, "\n{name:<8}");
    cell(table, Millis(times.least()).to_string());
    cell(table, Millis(times.mean()).to_string());
    for (thousandths, _) in percentiles {
        let time = times.percentile(*thousandths);
        cell(table, time.map_or_else(|| "-".to_owned(), |time| Millis(time).to_string()));
    }
    cell(table, Millis(times.greatest()).to_string());
    cell(table, times.samples());
}

fn cell(table: &mut String, text: impl Display) {
    // Writing to a string does not fail.
    let _ = write!(table, " {text:>8}");
}

/// Remarks on the figures.
fn remarks(summary: &Summary<'_>) -> Vec<String> {
    let ledger = summary.ledger;
    let mut remarks = Vec::from_iter(lossy_ports(summary));
    if ledger.slow_connections > 0 {
        remarks.push(format!(
            "{} took over 1 s to connect: a SYN, or its answer, was probably lost.",
            ledger.slow_connections
        ));
    }
    let of_icmp = ledger.count(Verdict::Refused) + ledger.count(Verdict::Unreachable);
    if ledger.connect.samples() == 0 && of_icmp > 0 && ledger.count(Verdict::NoReply) > 0 {
        remarks.push(
            "Hosts send only so many ICMP errors (Linux: one a second to one peer, after\n\
             a burst of six): what had no reply may have been refused, too."
                .to_owned(),
        );
    }
    remarks.extend(witnessed(summary));
    remarks
}

/// The source ports from which probes failed, unless probes failed from all ports: a path
/// may be bad while others are good.
fn lossy_ports(summary: &Summary<'_>) -> Option<String> {
    let ports = summary.ledger.ports.as_ref()?;
    let good = ports.used().filter(|(_, share)| share.failed == 0).count();
    let bad = ports.used().filter(|(_, share)| share.failed > 0);
    let words = |(port, share): (usize, Share)| {
        (share.failed, format!("{port} ({} of {})", share.failed, share.sent))
    };
    let bad: Vec<_> = bad.map(words).collect();
    if bad.is_empty() || good == 0 {
        return None;
    }
    let others = match good {
        1 => "the other none did".to_owned(),
        _ => format!("{good} others none did"),
    };
    Some(format!("Failed from source ports {}; from {others}.", most(bad)))
}

/// Which hosts answered, and how they saw this machine.
fn witnessed(summary: &Summary<'_>) -> Vec<String> {
    let sightings = &summary.ledger.sightings;
    let (Some(seen), Some(local)) = (sightings.seen_as, sightings.local) else {
        return Vec::new();
    };
    let words = |(host, replies): &(String, u64)| {
        (*replies, format!("{} ({replies})", printable(host.as_bytes())))
    };
    let answered = most(sightings.hosts.iter().map(words).collect());
    let how = if sightings.translated == 0 {
        format!("Seen as our own address, {}: nothing translates it.", local.ip())
    } else {
        format!("Seen as {seen}, and not as {local}: addresses are translated on the way.")
    };
    vec![format!("Answered by {answered}."), how]
}

/// The words with the highest counts, the highest first, and how many more there are.
fn most(mut words: Vec<(u64, String)>) -> String {
    let mut named = String::new();
    for nth in 0..MOST_NAMED {
        let Some(next) = (0..words.len()).rev().max_by_key(|at| words[*at].0) else {
            return named;
        };
        let separator = if nth > 0 { ", " } else { "" };
        named = named + separator + &words.remove(next).1;
    }
    if !words.is_empty() {
        named += &format!(" and {} more", words.len());
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::outcome::Outcome;
    use crate::probe::outcome::trouble::Trouble;

    fn address(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    fn refused(at: &str) -> Outcome {
        Outcome::failed(address(at), Trouble::new(Verdict::Refused, "connection refused"))
    }

    fn words_for(target: &str, ended: impl Into<Ended>) -> String {
        words(&target.parse().unwrap(), &ended.into())
    }

    #[test]
    fn each_address_of_a_name_has_its_outcome() {
        let silent = Trouble::no_reply(Duration::from_secs(5));
        let silent = Ended::from(Outcome::failed(address("192.0.2.1:7000"), silent));
        let before = vec![refused("[::1]:7000"), refused("127.0.0.1:7000")];
        assert_eq!(
            words_for("box:7000", Ended { before, ..silent }),
            "::1, 127.0.0.1: refused (connection refused); \
             192.0.2.1: no-reply (nothing came back within 5s)"
        );
        let one = words_for("127.0.0.1:7000", refused("127.0.0.1:7000"));
        assert_eq!(one, "refused (connection refused)");
        let unresolved = Trouble::new(Verdict::Unresolved, "name or service not known");
        let unresolved = words_for("box:7000", Outcome::failed(None, unresolved));
        assert_eq!(unresolved, "unresolved (name or service not known)");
    }
}
