//! What has to be said with the figures of a run, so that nobody misreads them.

use std::net::SocketAddr;

use crate::duration;
use crate::output::rfc3339;
use crate::printable::printable;
use crate::probe::ledger::directions::Directions;
use crate::probe::ledger::outages::Outage;
use crate::probe::ledger::{Ledger, Share};
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::report::summary::{Summary, wall_clock};

/// How many source ports, hosts and addresses are named. More names would hide the rest.
const MOST_NAMED: usize = 8;

/// The remarks, each of one line or two.
pub(crate) fn of(summary: &Summary<'_>) -> Vec<String> {
    let ledger = summary.ledger;
    let mut remarks: Vec<_> = ours(ledger).into_iter().chain(lossy_ports(summary)).collect();
    remarks.extend(outages(summary));
    remarks.extend(other_addresses(ledger));
    remarks.extend(second_syns(ledger));
    causes(ledger, &mut remarks);
    let of_icmp = ledger.count(Verdict::Refused) + ledger.count(Verdict::Unreachable);
    if ledger.connect.samples() == 0 && of_icmp > 0 && ledger.count(Verdict::NoReply) > 0 {
        remarks.push(
            "Hosts send only so many ICMP errors (Linux: one a second to one peer, after\n\
             a burst of six): what had no reply may have been refused, too."
                .to_owned(),
        );
    }
    if ledger.ports.is_none() && ledger.lost() > 0 && ledger.count(Verdict::Ok) > 0 {
        remarks.push(
            "There may be several paths, or a balancer: --flows shows whether the loss depends\n\
             on the source port."
                .to_owned(),
        );
    }
    remarks.extend(witnessed(summary));
    remarks.extend(directions(ledger));
    let rewritings = ledger.rewritings.iter().flatten();
    remarks.extend(
        rewritings.map(|(what, times)| format!("For {times} of {} probes {what}.", ledger.sent)),
    );
    remarks
}

/// What in the figures is due to this machine, and not to the network.
fn ours(ledger: &Ledger) -> Vec<String> {
    let mut remarks = Vec::new();
    if ledger.skipped > 0 {
        remarks.push(format!(
            "{} skipped: this machine was held up when they were due, and never sent them.",
            ledger.skipped
        ));
    }
    if ledger.sent_late > 0 {
        remarks.push(format!(
            "{} sent late, because this machine was held up: their times are only in\n\
             \"from due\".",
            ledger.sent_late
        ));
    }
    if ledger.held > 0 {
        remarks.push(format!("{} had to wait for a free source port.", ledger.held));
    }
    if ledger.left_port > 0 {
        remarks.push(format!(
            "{} had to leave from another port than their flow's: its last connection still\n\
             held the port.",
            ledger.left_port
        ));
    }
    remarks
}

/// Whose silence it was, and what else is known to be behind verdicts.
fn causes(ledger: &Ledger, remarks: &mut Vec<String>) {
    for (cause, what) in [
        (Cause::SilentProgram, "the target's system had the message"),
        (Cause::Unacknowledged, "the target's system never had it, or could not say so"),
        (Cause::Mtu, "too large for the way"),
    ] {
        let probes = ledger.caused_by(cause);
        if probes > 0 {
            remarks.push(format!("{probes} {cause}: {what}."));
        }
    }
}

/// How many outages there were, and the longest. Where nothing came out as expected, the counts
/// say it all.
fn outages(summary: &Summary<'_>) -> Option<String> {
    let ledger = summary.ledger;
    let clock = |at| rfc3339(wall_clock(at));
    let outages = &summary.in_order.outages;
    let longest = outages.longest?;
    if ledger.ended_in_all() == ledger.failed + ledger.failed_here {
        return None;
    }
    let count = outages.count;
    let which = if count == 1 { ". It" } else { "s. The longest" };
    let (took, begin) = (duration::words(longest.duration()), clock(longest.begin));
    let (least, end) = match longest.end {
        Some(end) => ("", clock(end).to_string()),
        None => (" at least", "the end".to_owned()),
    };
    let Outage { probes, first, last, .. } = longest;
    Some(format!(
        "{count} outage{which} lasted{least} {took}, from {begin} to\n\
         {end}: {probes} failed, probes {first} to {last}."
    ))
}

/// The connections whose SYN was sent again, and why that may have been.
fn second_syns(ledger: &Ledger) -> Option<String> {
    let why = if ledger.uses_ports_again {
        "the first one, or its answer,\n\
         was lost or took over 1 s; or the other side dropped it, as it still had the port's\n\
         last connection (TIME_WAIT)."
    } else {
        "the first one, or its answer,\n\
         was lost or took over 1 s."
    };
    let count = ledger.second_syns;
    (count > 0).then(|| format!("{count} connected after a second SYN or more: {why}"))
}

/// The addresses of the target that did not count.
fn other_addresses(ledger: &Ledger) -> Option<String> {
    let words = |(address, probes): &(SocketAddr, u64)| {
        (*probes, format!("{} ({probes} of {})", address.ip(), ledger.sent))
    };
    let words: Vec<_> = ledger.others.iter().map(words).collect();
    (!words.is_empty()).then(|| format!("Tried in vain: {}.", most(words)))
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

/// In which direction probes were lost, if a witness knows.
fn directions(ledger: &Ledger) -> Option<String> {
    let Directions { there, back } = ledger.directions?;
    let lost = there + back;
    Some(format!("{lost} lost ({there} on the way there, {back} on the way back)."))
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
