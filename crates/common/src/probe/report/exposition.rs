//! The figures of a run as Prometheus reads them: its text format, version 0.0.4
//! (prometheus.io/docs/instrumenting/exposition_formats).
//!
//! The address is no label: if it changed, the counters would begin anew under another one. Nor is
//! there a counter of the lost, which a late reply would lessen: they are the silent ones less the
//! late replies.

use std::fmt::{Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::duration::Seconds;
use crate::probe::ledger::Ledger;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::report::summary::Probed;

/// The metrics: each with its type, its own label and the values of that (`-` is none), and what it
/// is of. In one text they take less room in a binary than in code.
const METRICS: &str = "\
probes_sent_total counter - Probes sent
probes_failed_total counter - Probes that did not come out as expected
probes_failed_here_total counter - Probes that failed on this machine
probes_silent_total counter - Probes that nothing came back for in time
probes_skipped_total counter - Probes due, and not sent as this machine was held up
probes_sent_late_total counter - Probes sent late as this machine was held up
probes_held_total counter - Probes that had to wait for a source port
probes_left_port_total counter - Probes from another port than their flow's
probes_unfinished gauge - Probes under way
strays_total counter kind=late,duplicate,foreign Datagrams that no probe was waiting for
probes_total counter verdict=ok,refused,unreachable,timeout,no-reply,reset,wrong-reply,wrong-source,\
unresolved,local Probes that have ended, by verdict
reply_seconds histogram le=0.0001,0.00025,0.0005,0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,\
5,10,+Inf Time to the reply
connect_seconds histogram le=0.0001,0.00025,0.0005,0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,\
5,10,+Inf Time to connect
run_begin_timestamp_seconds gauge - When the run began";

/// The figures in `ledger`, of the run that began at `begin`;
/// none if it has not yet.
pub(crate) fn of(probed: Probed<'_>, ledger: &Ledger, begin: Option<SystemTime>) -> String {
    let (program, protocol) = (probed.program, probed.protocol());
    let target = escaped(&probed.target.to_string());
    let labels = format!("target=\"{target}\",protocol=\"{protocol}\",program=\"{program}\"");
    let mut text = String::new();
    let mut counts = counts(ledger).into_iter();
    for line in METRICS.split('\n') {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (name, kind, label, help) = (word(), word(), word(), word());
        let times = if name.starts_with("reply") { &ledger.reply } else { &ledger.connect };
        let is_histogram = kind == "histogram";
        let is_begin = name.starts_with("run");
        if (is_begin && begin.is_none()) || (name.starts_with("connect") && protocol != "tcp") {
            continue;
        }
        // Writing to a string does not fail.
        let _ = write!(text, "# HELP getthrough_{name} {help}.\n# TYPE getthrough_{name} {kind}\n");
        let mut sample = |suffix: &str, label: &str, value: &dyn Display| {
            let _ = writeln!(text, "getthrough_{name}{suffix}{{{labels}{label}}} {value}");
        };
        if let (true, Some(begin)) = (is_begin, begin) {
            sample("", "", &Seconds(begin.duration_since(UNIX_EPOCH).unwrap_or_default()));
            continue;
        }
        let (key, values) = label.split_once('=').unwrap_or_default();
        for value in values.split(',') {
            let own = if key.is_empty() { String::new() } else { format!(",{key}=\"{value}\"") };
            let suffix = if is_histogram { "_bucket" } else { "" };
            sample(suffix, &own, &counts.next().unwrap_or_default());
        }
        if is_histogram {
            sample("_sum", "", &Seconds(times.sum()));
            sample("_count", "", &times.samples());
        }
    }
    text
}

/// The value of a label, as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// The values of all samples, in the order of the [`METRICS`].
fn counts(ledger: &Ledger) -> Vec<u64> {
    let mut counts = vec![
        ledger.sent,
        ledger.failed,
        ledger.failed_here,
        ledger.silent(),
        ledger.skipped,
        ledger.sent_late,
        ledger.held,
        ledger.left_port,
        ledger.unfinished(),
        ledger.late,
        ledger.duplicate,
        ledger.foreign,
    ];
    counts.extend(Verdict::ALL.map(|verdict| ledger.count(verdict)));
    counts.extend(ledger.reply_buckets.cumulative());
    counts.extend(ledger.connect_buckets.cumulative());
    counts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::ledger::buckets::Buckets;
    use crate::probe::outcome::Outcome;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }

    #[test]
    fn the_labels_are_those_of_the_code() {
        let values = |key: &str| {
            let values = METRICS.split(&format!(" {key}=")).nth(1).unwrap().split(' ').next();
            values.unwrap().split(',').collect::<Vec<_>>()
        };
        assert_eq!(values("verdict"), Verdict::ALL.map(Verdict::as_str));
        let bounds =
            Buckets::bounds().map(|bound| bound.map_or(f64::INFINITY, |b| b.as_secs_f64()));
        assert!(values("le").into_iter().map(|bound| bound.parse::<f64>().unwrap()).eq(bounds));
        let times: Vec<_> = METRICS.split(" le=").skip(1).map(|of| of.split(' ').next()).collect();
        assert!(times.len() == 2 && times[0] == times[1]);
    }

    #[test]
    fn the_figures_of_a_run() {
        let mut ledger = Ledger::default();
        (ledger.sent, ledger.failed, ledger.failed_here, ledger.skipped) = (3, 4, 5, 6);
        (ledger.held, ledger.left_port) = (7, 8);
        (ledger.late, ledger.duplicate, ledger.foreign) = (9, 10, 11);
        for (connect, reply) in [(100_000, 1), (2_000_000, 10_000_000_001)] {
            let (connect, reply) = (Duration::from_nanos(connect), Duration::from_nanos(reply));
            let (connect, reply) = (Some(connect), Some(reply));
            let last = Outcome { connect, reply, ..Outcome::of(None, Ok(Vec::new())) };
            ledger.ended(&last.into(), true);
        }
        let begin = Some(UNIX_EPOCH + Duration::from_millis(1_500));
        let probed = Probed { program: "tcp-client", target: &"[::1]:7".parse().unwrap() };
        let text = of(probed, &ledger, begin);
        for line in [
            "# HELP getthrough_probes_sent_total Probes sent.\n",
            "# TYPE getthrough_probes_sent_total counter\n",
            "\ngetthrough_probes_sent_total{} 3\n",
            "\ngetthrough_probes_failed_total{} 4\n",
            "\ngetthrough_probes_failed_here_total{} 5\n",
            "\ngetthrough_probes_skipped_total{} 6\n",
            "\ngetthrough_probes_held_total{} 7\n",
            "\ngetthrough_probes_left_port_total{} 8\n",
            "\ngetthrough_strays_total{,kind=\"late\"} 9\n",
            "\ngetthrough_strays_total{,kind=\"duplicate\"} 10\n",
            "\ngetthrough_strays_total{,kind=\"foreign\"} 11\n",
            "\ngetthrough_probes_total{,verdict=\"ok\"} 2\n",
            "\ngetthrough_probes_total{,verdict=\"local\"} 0\n",
            "\ngetthrough_probes_unfinished{} 1\n",
            "\ngetthrough_reply_seconds_bucket{,le=\"0.0001\"} 1\n",
            "\ngetthrough_reply_seconds_bucket{,le=\"10\"} 1\n",
            "\ngetthrough_reply_seconds_bucket{,le=\"+Inf\"} 2\n",
            "\ngetthrough_reply_seconds_sum{} 10.000000002\n",
            "\ngetthrough_connect_seconds_bucket{,le=\"0.0001\"} 1\n",
            "\ngetthrough_connect_seconds_sum{} 0.002100000\n",
            "\ngetthrough_connect_seconds_count{} 2\n",
            "\ngetthrough_run_begin_timestamp_seconds{} 1.500000000\n",
        ] {
            let labels = r#"{target="[::1]:7",protocol="tcp",program="tcp-client""#;
            let line = line.replace('{', labels);
            assert!(text.contains(&line), "{line}{text}");
        }
        let text = of(Probed { program: "udp-client", ..probed }, &ledger, None);
        assert!(!text.contains("connect") && !text.contains("begin"), "{text}");
    }
}
