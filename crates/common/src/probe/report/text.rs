//! Probes and runs in words, for people.

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::{Address, Host};
use crate::duration::{self, Millis};
use crate::output::rfc3339;
use crate::percent::Percent;
use crate::probe::destination::list;
use crate::probe::ledger::Ledger;
use crate::probe::ledger::times::Times;
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::expected::Expected;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Other};
use crate::probe::report::remarks;
use crate::probe::report::summary::{NOISE, PERCENTILES, Summary};
use crate::probe::stray::{Kind, Stray};

/// `refused (a reset came back)`. If the target is a name, each outcome comes after the
/// addresses that had it: `::1: refused (...); 192.0.2.1: no-reply (...)`.
pub(crate) fn words(target: &Address, ended: &Ended) -> String {
    let last = match &ended.last.result {
        Ok(_) => Verdict::Ok.to_string(),
        Err(trouble) => trouble.with_way(way_of(ended)),
    };
    let others = ended.others.iter().map(|other| (words_of_other(other), Some(other.address)));
    grouped(target, others.chain([(last, ended.last.address)]))
}

/// What is known of the way of a probe that was traced.
fn way_of(ended: &Ended) -> Option<&dyn Display> {
    let path = ended.findings.as_ref()?.trace.as_ref()?;
    Some(path)
}

/// `::1: refused (a reset came back); 192.0.2.1 answered`: what became of the other addresses,
/// if one has answered.
pub(crate) fn others(target: &Address, ended: &Ended) -> String {
    let others = ended.others.iter().map(|other| (words_of_other(other), Some(other.address)));
    let answered = ended.last.address.map(|address| format!("; {} answered", address.ip()));
    grouped(target, others) + &answered.unwrap_or_default()
}

fn words_of_other(other: &Other) -> String {
    match &other.trouble {
        Some(trouble) => trouble.to_string(),
        None => format!("neither an answer nor an error in {}", duration::words(other.waited)),
    }
}

/// Each outcome once, after the addresses that had it if the target is a name.
fn grouped(
    target: &Address,
    outcomes: impl Iterator<Item = (String, Option<SocketAddr>)>,
) -> String {
    let mut groups: Vec<(String, Vec<SocketAddr>)> = Vec::new();
    for (words, address) in outcomes {
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, addresses)) => addresses.extend(address),
            None => groups.push((words, address.into_iter().collect())),
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
pub(crate) fn failure(target: &Address, ended: &Ended, expected: Expected) -> String {
    let words = words(target, ended);
    if !expected.contains(ended.last.verdict()) && !expected.is_reply() {
        format!("{words}, and not {expected}")
    } else if ended.last.cause() == Some(Cause::NoResolver) && !expected.is_reply() {
        format!("{words}, which says nothing about the name")
    } else {
        words
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
    expected: Expected,
    elapsed: Duration,
) -> String {
    format!("{}, for {}", failure(target, ended, expected), duration::words(elapsed))
}

/// `4 bytes from 127.0.0.1:6666: probe=1 connect=0.123 ms reply=0.084 ms`,
/// `connected to 127.0.0.1:22: probe=1 connect=0.123 ms`
pub(crate) fn probe(target: &Address, ended: &Ended, has_flows: bool) -> String {
    let Ended { number, delay, last: outcome, .. } = ended;
    let mut line = match (&outcome.result, outcome.address) {
        (Ok(Some(reply)), Some(from)) => {
            format!("{} bytes from {from}: probe={number}", reply.len())
        }
        (Ok(None), Some(to)) => format!("connected to {to}: probe={number}"),
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
    } else if !ended.others.is_empty() {
        line += &format!(" ({})", others(target, ended));
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

/// `3 of 9 sent: 2 ok, 1 lost, p50 1.234 ms`; without an end, `3 sent: ...`
pub(crate) fn progress(ledger: &Ledger, all: Option<u64>) -> String {
    let (ok, lost) = (ledger.count(Verdict::Ok), ledger.lost());
    let median = ledger.from_sending().percentile(500);
    let median = median.map_or_else(String::new, |time| format!(", p50 {} ms", Millis(time)));
    let of_all = all.map_or_else(String::new, |all| format!(" of {all}"));
    format!("{}{of_all} sent: {ok} ok, {lost} lost{median}", ledger.sent)
}

/// `10 sent in 9s: 8 ok, 2 no-reply, 10.0 % lost, p50 1.234 ms, p99 2.345 ms`
pub(crate) fn so_far(summary: &Summary<'_>) -> String {
    let mut line = counts(summary);
    line.truncate(line.trim_end().len());
    for (thousandths, name) in [(500, "p50"), (990, "p99")] {
        if let Some(time) = summary.ledger.from_sending().percentile(thousandths) {
            line += &format!(", {name} {} ms", Millis(time));
        }
    }
    line
}

/// The summary of a run, in several lines.
pub(crate) fn summary(summary: &Summary<'_>) -> String {
    let mut text = heading(summary) + &counts(summary) + &times(summary);
    for remark in remarks::of(summary) {
        text += &remark;
        text.push('\n');
    }
    text
}

/// `--- box:6666 (192.0.2.1), resolved in 1.234 ms`; of a period `, period 3, until ...`
fn heading(summary: &Summary<'_>) -> String {
    let mut line = format!("--- {}", summary.probed.target);
    if let (Host::Name(_), Some(address)) = (&summary.probed.target.host, summary.ledger.address) {
        line += &format!(" ({})", address.ip());
    }
    if let Some(number) = summary.period {
        line += &format!(", period {number}, until {}", rfc3339(summary.span.end));
    } else if let Some(resolve) = summary.resolve {
        line += &format!(", resolved in {} ms", Millis(resolve));
    }
    line + "\n"
}

/// `10 sent in 9s: 8 ok, 2 no-reply, 1 late, 10.0 % lost`
fn counts(summary: &Summary<'_>) -> String {
    let Summary { ledger, expected, .. } = summary;
    let mut line = format!("{} sent in {}:", ledger.sent, duration::words(summary.span.elapsed));
    for verdict in Verdict::ALL {
        let count = ledger.count(verdict);
        if count > 0 || expected.contains(verdict) {
            line += &format!(" {count} {verdict},");
        }
    }
    for (count, what) in [
        (ledger.unfinished(), "unfinished"),
        (ledger.skipped, "skipped"),
        (ledger.late, "late"),
        (ledger.duplicate, "duplicate"),
        (ledger.foreign, "foreign"),
    ] {
        if count > 0 {
            line += &format!(" {count} {what},");
        }
    }
    let of = |share: Option<Percent>, what: &str| share.map(|share| format!("{share} % {what}"));
    let shares = if !expected.is_reply() {
        vec![of(summary.failures(), "not as expected")]
    } else if ledger.failed == ledger.lost() + ledger.late - ledger.late_of_before {
        vec![of(summary.loss(), "lost")]
    } else {
        vec![of(summary.loss(), "lost"), of(summary.failures(), "failed")]
    };
    let shares: Vec<_> = shares.into_iter().flatten().collect();
    let known = if shares.is_empty() { "nothing known".to_owned() } else { shares.join(", ") };
    format!("{line} {known}\n")
}

/// A table with a row for each kind of time, and one for the jitter.
fn times(summary: &Summary<'_>) -> String {
    let ledger = summary.ledger;
    let mut rows = vec![("connect", &ledger.connect), ("reply", &ledger.reply)];
    if summary.is_slow_to_read() {
        rows.push(("host", &ledger.host));
    }
    if summary.is_behind() {
        // With --connect it is the time to connect.
        let has_both = ledger.connect.samples() > 0 && ledger.reply.samples() > 0;
        let total = has_both.then_some(("total", &ledger.total));
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
    if let Some(jitter) = summary.in_order.jitter.mean() {
        // It is a mean.
        let _ = write!(table, "\n{:<8} {:>8}", "jitter", "");
        cell(&mut table, Millis(jitter).to_string());
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

    fn other(at: &str) -> Other {
        let trouble = refused(at).result.err();
        Other { address: at.parse().unwrap(), waited: Duration::from_millis(260), trouble }
    }

    fn words_for(target: &str, ended: impl Into<Ended>) -> String {
        words(&target.parse().unwrap(), &ended.into())
    }

    #[test]
    fn progress_has_no_total_without_an_end() {
        let mut ledger = Ledger::default();
        ledger.sent = 3;
        assert_eq!(progress(&ledger, Some(9)), "3 of 9 sent: 0 ok, 0 lost");
        assert_eq!(progress(&ledger, None), "3 sent: 0 ok, 0 lost");
    }

    #[test]
    fn each_address_of_a_name_has_its_outcome() {
        let silent = Trouble::no_reply(Duration::from_secs(5));
        let silent = Ended::from(Outcome::failed(address("192.0.2.1:7000"), silent));
        let others = ["[::1]:7000", "127.0.0.1:7000"].map(other).into();
        assert_eq!(
            words_for("box:7000", Ended { others, ..silent }),
            "::1, 127.0.0.1: refused (connection refused); \
             192.0.2.1: no-reply (nothing came back within 5s)"
        );
        let open = Other { trouble: None, ..other("[::1]:7000") };
        let others = vec![other("[::2]:7000"), open];
        let answered = Outcome { result: Ok(Some(Vec::new())), ..refused("127.0.0.1:7000") };
        assert_eq!(
            super::others(&"box:7000".parse().unwrap(), &Ended { others, ..answered.into() }),
            "::2: refused (connection refused); \
             ::1: neither an answer nor an error in 260ms; 127.0.0.1 answered"
        );
        let one = words_for("127.0.0.1:7000", refused("127.0.0.1:7000"));
        assert_eq!(one, "refused (connection refused)");
        let unresolved = Trouble::new(Verdict::Unresolved, "name or service not known");
        let unresolved = words_for("box:7000", Outcome::failed(None, unresolved));
        assert_eq!(unresolved, "unresolved (name or service not known)");
    }
}
