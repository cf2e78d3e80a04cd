//! Probes and runs as the JSON objects that docs/json.md describes.

use std::net::SocketAddr;
use std::time::Duration;

use crate::duration::Millis;
use crate::output::Stamp;
use crate::output::json::{self, Field};
use crate::percent::Percent;
use crate::printable::printable;
use crate::probe::examination::Subject;
use crate::probe::ledger::buckets::Buckets;
use crate::probe::ledger::outages::Outage;
use crate::probe::ledger::succession::Figures;
use crate::probe::ledger::times::Times;
use crate::probe::ledger::{Ledger, Share};
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Other};
use crate::probe::report::summary::{PERCENTILES, Probed, Summary, wall_clock};
use crate::probe::stray::Stray;
use crate::probe::trace::path::{Hop, Path};
use crate::protocol::BUFFER_SIZE;

fn text(value: Option<impl ToString>) -> Field {
    value.map_or(Field::Nothing, |value| Field::Text(value.to_string()))
}

fn number(value: Option<impl Into<u64>>) -> Field {
    whole(value.map(Into::into))
}

#[inline(never)]
fn whole(value: Option<u64>) -> Field {
    value.map_or(Field::Nothing, Field::Number)
}

#[inline(never)]
fn millis(time: Option<Duration>) -> Field {
    time.map_or(Field::Nothing, |time| Field::Millis(Millis(time)))
}

fn protocol(probed: Probed<'_>) -> (&'static str, Field) {
    ("protocol", Field::Text(probed.protocol().to_owned()))
}

fn target(probed: Probed<'_>) -> (&'static str, Field) {
    ("target", Field::Text(probed.target.to_string()))
}

/// A probe that has ended, of whose message `padding` bytes are padding.
pub(crate) fn probe(probed: Probed<'_>, padding: u64, ended: &Ended, stamp: Stamp) -> String {
    let outcome = &ended.last;
    let (reply, trouble) = match &outcome.result {
        Ok(reply) => (reply.as_ref(), None),
        Err(trouble) => (trouble.reply.as_ref(), Some(trouble)),
    };
    let shown = reply.map(|reply| printable(&reply[..reply.len().min(BUFFER_SIZE)]).to_string());
    let icmp = trouble.and_then(|trouble| trouble.icmp);
    let fields = [
        ("number", Field::Number(ended.number)),
        ("verdict", Field::Text(outcome.verdict().to_string())),
        protocol(probed),
        target(probed),
        ("address", text(outcome.address)),
        ("local", text(outcome.local)),
        ("resolve_ms", millis(outcome.resolve)),
        ("delay_ms", millis(ended.delay)),
        ("connect_ms", millis(outcome.connect)),
        ("syn_retransmits", number(outcome.syn_retransmits)),
        ("reply_ms", millis(outcome.reply)),
        ("host_ms", millis(outcome.host)),
        ("bytes", reply.map_or(Field::Nothing, |reply| Field::Number(reply.len() as u64))),
        ("complete", outcome.complete.map_or(Field::Nothing, Field::Truth)),
        ("reply", text(shown)),
        ("cause", text(trouble.and_then(|trouble| trouble.cause))),
        ("reason", text(trouble.map(|trouble| &trouble.reason))),
        ("icmp_type", number(icmp.map(|(kind, _)| kind))),
        ("icmp_code", number(icmp.map(|(_, code)| code))),
        ("router", text(trouble.and_then(|trouble| trouble.router))),
        ("from", text(trouble.and_then(|trouble| trouble.from))),
        ("mtu", number(outcome.mtu)),
        ("largest_segment", number(trouble.and_then(|trouble| trouble.largest_segment))),
        ("padding_bytes", Field::Number(padding)),
        ("dscp_sent", number(outcome.dscp_sent)),
        ("dscp_seen", number(outcome.dscp_seen())),
        ("dscp_reply", number(outcome.dscp_reply)),
        ("others", Field::List(ended.others.iter().map(other).collect())),
        ("trace", way(ended.findings.as_ref().and_then(|found| found.trace.as_ref()))),
    ];
    json::object("probe", stamp.time(), &fields)
}

/// The way of a probe of a run.
pub(crate) fn trace(probed: Probed<'_>, subject: &Subject, path: &Path, stamp: Stamp) -> String {
    let fields = [
        ("number", Field::Number(subject.number)),
        protocol(probed),
        target(probed),
        ("address", Field::Text(subject.address.to_string())),
        ("local", Field::Text(subject.local.to_string())),
        ("trace", way(Some(path))),
    ];
    json::object("trace", stamp.time(), &fields)
}

/// A datagram that no probe was waiting for.
pub(crate) fn stray(stray: &Stray, from: SocketAddr, local: SocketAddr, stamp: Stamp) -> String {
    let fields = [
        ("number", Field::Number(stray.number)),
        ("kind", Field::Text(stray.kind.as_str().to_owned())),
        ("from", Field::Text(from.to_string())),
        ("local", Field::Text(local.to_string())),
        ("after_ms", Field::Millis(Millis(stray.after))),
    ];
    json::object("stray", stamp.time(), &fields)
}

/// The target has another address.
pub(crate) fn address_changed(
    probed: Probed<'_>,
    from: SocketAddr,
    to: SocketAddr,
    stamp: Stamp,
) -> String {
    let fields =
        [protocol(probed), target(probed), ("from", text(Some(from))), ("to", text(Some(to)))];
    json::object("address_changed", stamp.time(), &fields)
}

/// The summary of a run, or of a part of it, as this `event`.
pub(crate) fn summary(event: &str, summary: &Summary<'_>, stamp: Stamp) -> String {
    let ledger = summary.ledger;
    let verdicts = Verdict::ALL.map(|verdict| (verdict.as_str(), ledger.count(verdict)));
    let causes = Cause::ALL.map(|cause| (cause.as_str(), ledger.caused_by(cause)));
    let sightings = &ledger.sightings;
    let is_seen = sightings.seen_as.is_some();
    let Figures { outages, jitter } = &summary.in_order;
    let fields = [
        protocol(summary.probed),
        target(summary.probed),
        ("address", text(ledger.address)),
        ("sent", Field::Number(ledger.sent)),
        ("ok", Field::Number(ledger.count(Verdict::Ok))),
        ("late", Field::Number(ledger.late)),
        ("lost", Field::Number(ledger.lost())),
        ("lost_there", number(ledger.directions.map(|lost| lost.there))),
        ("lost_back", number(ledger.directions.map(|lost| lost.back))),
        ("unfinished", Field::Number(ledger.unfinished())),
        ("skipped", Field::Number(ledger.skipped)),
        ("sent_late", Field::Number(ledger.sent_late)),
        ("held", Field::Number(ledger.held)),
        ("left_port", Field::Number(ledger.left_port)),
        ("duplicate", Field::Number(ledger.duplicate)),
        ("foreign", Field::Number(ledger.foreign)),
        ("failed", Field::Number(ledger.failed)),
        ("loss_percent", share(summary.loss())),
        ("failed_percent", share(summary.failures())),
        ("verdicts", counts(&verdicts)),
        ("causes", counts(&causes)),
        ("elapsed_ms", Field::Millis(Millis(summary.span.elapsed))),
        ("resolve_ms", millis(summary.resolve)),
        ("connect_ms", times(&ledger.connect)),
        ("reply_ms", times(&ledger.reply)),
        ("host_ms", times(&ledger.host)),
        ("total_ms", times(&ledger.total)),
        ("from_due_ms", times(&ledger.from_due)),
        ("jitter_ms", millis(jitter.mean())),
        ("outage_count", Field::Number(outages.count)),
        ("outages", Field::List(outages.newest.iter().map(outage).collect())),
        ("longest_outage", outages.longest.as_ref().map_or(Field::Nothing, outage)),
        ("flows", flows(ledger)),
        ("hosts", if is_seen { hosts(ledger) } else { Field::Nothing }),
        ("seen_as", text(sightings.seen_as)),
        ("translated", number(is_seen.then_some(sightings.translated))),
        ("others", Field::List(ledger.others.iter().map(others_of_run).collect())),
        ("local", text(ledger.local)),
        ("begin", Field::Time(summary.span.begin)),
        ("end", Field::Time(summary.span.end)),
        ("buckets", buckets(&ledger.reply_buckets)),
    ];
    json::object(event, stamp.time(), &fields)
}

/// The way of a probe; null if the probe was not traced.
fn way(path: Option<&Path>) -> Field {
    let Some(path) = path else {
        return Field::Nothing;
    };
    let last = path.last();
    let hop = |(at, Hop { router, time, .. }): (usize, &Hop)| {
        Field::Object(vec![
            ("hop", Field::Number(at as u64 + 1)),
            ("router", text(*router)),
            ("ms", millis(*time)),
        ])
    };
    Field::Object(vec![
        ("end", Field::Text(path.end.as_str().to_owned())),
        ("reason", path.end.reason().map_or(Field::Nothing, Field::Text)),
        ("local", Field::Text(path.local.to_string())),
        ("hops", Field::List(path.hops.iter().enumerate().map(hop).collect())),
        ("last_hop", last.map_or(Field::Nothing, |(hop, _)| Field::Number(hop as u64))),
        ("last_router", text(last.and_then(|(_, router)| router))),
    ])
}

fn counts(counts: &[(&'static str, u64)]) -> Field {
    let count = |(word, count): &(&'static str, u64)| (*word, Field::Number(*count));
    Field::Object(counts.iter().map(count).collect())
}

fn share(share: Option<Percent>) -> Field {
    share.map_or(Field::Nothing, Field::Percent)
}

fn others_of_run((address, probes): &(SocketAddr, u64)) -> Field {
    Field::Object(vec![
        ("address", Field::Text(address.to_string())),
        ("probes", Field::Number(*probes)),
    ])
}

fn other(other: &Other) -> Field {
    let trouble = other.trouble.as_ref();
    Field::Object(vec![
        ("address", Field::Text(other.address.to_string())),
        ("verdict", text(trouble.map(|trouble| trouble.verdict))),
        ("cause", text(trouble.and_then(|trouble| trouble.cause))),
        ("reason", text(trouble.map(|trouble| &trouble.reason))),
        ("waited_ms", Field::Millis(Millis(other.waited))),
    ])
}

fn times(times: &Times) -> Field {
    if times.samples() == 0 {
        return Field::Nothing;
    }
    let at = |time| Field::Millis(Millis(time));
    let mut fields = vec![
        ("samples", Field::Number(times.samples())),
        ("min", at(times.least())),
        ("mean", at(times.mean())),
    ];
    fields.extend(PERCENTILES.map(|(thousandths, word)| {
        (if word == "p99.9" { "p99_9" } else { word }, millis(times.percentile(thousandths)))
    }));
    fields.push(("max", at(times.greatest())));
    Field::Object(fields)
}

fn outage(outage: &Outage) -> Field {
    Field::Object(vec![
        ("begin", Field::Time(wall_clock(outage.begin))),
        ("end", outage.end.map_or(Field::Nothing, |end| Field::Time(wall_clock(end)))),
        ("duration_ms", Field::Millis(Millis(outage.duration()))),
        ("first", Field::Number(outage.first)),
        ("last", Field::Number(outage.last)),
        ("probes", Field::Number(outage.probes)),
    ])
}

fn buckets(buckets: &Buckets) -> Field {
    let bucket = |(bound, count): (Option<Duration>, u64)| {
        Field::Object(vec![("le_ms", millis(bound)), ("count", Field::Number(count))])
    };
    Field::List(Buckets::bounds().zip(buckets.cumulative()).map(bucket).collect())
}

fn flows(ledger: &Ledger) -> Field {
    let Some(ports) = &ledger.ports else {
        return Field::Nothing;
    };
    let flow = |(port, share): (usize, Share)| {
        Field::Object(vec![
            ("port", Field::Number(port as u64)),
            ("sent", Field::Number(share.sent)),
            ("failed", Field::Number(share.failed)),
        ])
    };
    Field::List(ports.used().map(flow).collect())
}

fn hosts(ledger: &Ledger) -> Field {
    let host = |(host, replies): &(String, u64)| {
        let host = printable(host.as_bytes()).to_string();
        Field::Object(vec![("host", Field::Text(host)), ("replies", Field::Number(*replies))])
    };
    Field::List(ledger.sightings.hosts.iter().map(host).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::outcome::Outcome;
    use crate::probe::outcome::trouble::Trouble;

    #[test]
    fn an_outcome_as_an_object() {
        let at = |address: &str| Some(address.parse().unwrap());
        let outcome = Outcome {
            local: at("10.0.0.1:40000"),
            reply: Some(Duration::from_nanos(1_234_567)),
            result: Ok(Some(b"ACK!\n".to_vec())),
            ..Outcome::failed(at("192.0.2.1:6666"), Trouble::new(Verdict::Refused, "refused"))
        };
        let ended = Ended::from(outcome);
        let probed = Probed { program: "udp-client", target: &"192.0.2.1".parse().unwrap() };
        assert_eq!(
            probe(probed, 7, &ended, Stamp(false)),
            concat!(
                r#"{"schema":1,"event":"probe","number":1,"verdict":"ok","protocol":"udp","#,
                r#""target":"192.0.2.1:6666","address":"192.0.2.1:6666","local":"10.0.0.1:40000","resolve_ms":null,"#,
                r#""delay_ms":null,"connect_ms":null,"syn_retransmits":null,"reply_ms":1.234,"#,
                r#""host_ms":null,"bytes":5,"complete":null,"reply":"ACK!\\n","cause":null,"#,
                r#""reason":null,"icmp_type":null,"icmp_code":null,"router":null,"from":null,"#,
                r#""mtu":null,"largest_segment":null,"padding_bytes":7,"#,
                r#""dscp_sent":null,"dscp_seen":null,"dscp_reply":null,"others":[],"trace":null}"#,
                "\n"
            )
        );
    }
}
