//! The figures of a run as Prometheus reads them: its text format, version 0.0.4
//! (prometheus.io/docs/instrumenting/exposition_formats).
//!
//! The address is no label: if it changed, the counters would begin anew under another one. Nor is
//! there a counter of the lost, which a late reply would lessen: they are the silent ones less the
//! late replies.

use std::fmt::{Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::address::Address;
use crate::duration::Seconds;
use crate::probe::ledger::Ledger;
use crate::probe::ledger::buckets::Buckets;
use crate::probe::ledger::times::Times;
use crate::probe::outcome::verdict::Verdict;

/// The labels of all metrics of the run of `target` that `program` makes.
pub(crate) fn labels(program: &str, target: &Address) -> String {
    let protocol = program.split('-').next().unwrap_or_default();
    let target = escaped(&target.to_string());
    format!("target=\"{target}\",protocol=\"{protocol}\",program=\"{program}\"")
}

/// The value of a label, as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// The figures in `ledger`, of a run with these `labels` that began at `begin`; none if it has not
/// yet. Over TCP it `has_connections`.
pub(crate) fn of(
    labels: &str,
    has_connections: bool,
    ledger: &Ledger,
    begin: Option<SystemTime>,
) -> String {
    let mut text = Text { labels, text: String::new() };
    for (name, help, count) in [
        ("probes_sent", "Probes sent", ledger.sent),
        ("probes_failed", "Probes that did not come out as expected", ledger.failed),
        ("probes_failed_here", "Probes that failed on this machine", ledger.failed_here),
        ("probes_silent", "Probes that nothing came back for in time", ledger.silent()),
        ("probes_skipped", "Probes due, and not sent as this machine was held up", ledger.skipped),
        ("probes_sent_late", "Probes sent late as this machine was held up", ledger.sent_late),
        ("probes_held", "Probes that had to wait for a source port", ledger.held),
        ("probes_left_port", "Probes from another port than their flow's", ledger.left_port),
    ] {
        text.family(name, "_total", "counter", help);
        text.sample(name, "_total", "", &count);
    }
    text.family("probes", "_total", "counter", "Probes that have ended, by verdict");
    for verdict in Verdict::ALL {
        let label = format!(",verdict=\"{verdict}\"");
        text.sample("probes", "_total", &label, &ledger.count(verdict));
    }
    text.family("strays", "_total", "counter", "Datagrams that no probe was waiting for");
    for (kind, count) in
        [("late", ledger.late), ("duplicate", ledger.duplicate), ("foreign", ledger.foreign)]
    {
        text.sample("strays", "_total", &format!(",kind=\"{kind}\""), &count);
    }
    text.family("probes_unfinished", "", "gauge", "Probes under way");
    text.sample("probes_unfinished", "", "", &ledger.unfinished());
    text.histogram("reply_seconds", "Time to the reply", &ledger.reply, &ledger.reply_buckets);
    if has_connections {
        let (connect, buckets) = (&ledger.connect, &ledger.connect_buckets);
        text.histogram("connect_seconds", "Time to connect", connect, buckets);
    }
    if let Some(begin) = begin {
        let name = "run_begin_timestamp_seconds";
        text.family(name, "", "gauge", "When the run began");
        let nanos = begin.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        text.sample(name, "", "", &Seconds(nanos));
    }
    text.text
}

struct Text<'a> {
    labels: &'a str,
    text: String,
}

impl Text<'_> {
    fn family(&mut self, name: &str, suffix: &str, kind: &str, help: &str) {
        let name = format_args!("getthrough_{name}{suffix}");
        // Writing to a string does not fail.
        let _ = write!(self.text, "# HELP {name} {help}.\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &str, value: &dyn Display) {
        let all = self.labels;
        let _ = writeln!(self.text, "getthrough_{name}{suffix}{{{all}{labels}}} {value}");
    }

    fn histogram(&mut self, name: &str, help: &str, times: &Times, buckets: &Buckets) {
        self.family(name, "", "histogram", help);
        for (bound, count) in buckets.cumulative() {
            let bound = bound.map(|bound| Seconds(bound.as_nanos()).to_string());
            let bound = bound.as_deref().unwrap_or("+Inf");
            self.sample(name, "_bucket", &format!(",le=\"{bound}\""), &count);
        }
        self.sample(name, "_sum", "", &Seconds(times.sum()));
        self.sample(name, "_count", "", &times.samples());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::outcome::Outcome;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
        let labels = labels("tcp-client", &"[::1]:7".parse().unwrap());
        assert_eq!(labels, r#"target="[::1]:7",protocol="tcp",program="tcp-client""#);
    }

    #[test]
    fn the_figures_of_a_run() {
        let mut ledger = Ledger::default();
        ledger.sent = 3;
        for (connect, reply) in [(100_000, 1), (2_000_000, 10_000_000_001)] {
            let (connect, reply) = (Duration::from_nanos(connect), Duration::from_nanos(reply));
            let (connect, reply) = (Some(connect), Some(reply));
            let last = Outcome { connect, reply, ..Outcome::of(None, Ok(Vec::new())) };
            ledger.ended(&last.into(), true);
        }
        let text =
            of("target=\"x\"", true, &ledger, Some(UNIX_EPOCH + Duration::from_millis(1_500)));
        for line in [
            "# HELP getthrough_probes_sent_total Probes sent.\n",
            "# TYPE getthrough_probes_sent_total counter\n",
            "\ngetthrough_probes_sent_total{target=\"x\"} 3\n",
            "\ngetthrough_probes_total{target=\"x\",verdict=\"ok\"} 2\n",
            "\ngetthrough_probes_unfinished{target=\"x\"} 1\n",
            "\ngetthrough_reply_seconds_bucket{target=\"x\",le=\"0.0001\"} 1\n",
            "\ngetthrough_reply_seconds_bucket{target=\"x\",le=\"10\"} 1\n",
            "\ngetthrough_reply_seconds_bucket{target=\"x\",le=\"+Inf\"} 2\n",
            "\ngetthrough_reply_seconds_sum{target=\"x\"} 10.000000002\n",
            "\ngetthrough_connect_seconds_bucket{target=\"x\",le=\"0.0001\"} 1\n",
            "\ngetthrough_connect_seconds_sum{target=\"x\"} 0.0021\n",
            "\ngetthrough_connect_seconds_count{target=\"x\"} 2\n",
            "\ngetthrough_run_begin_timestamp_seconds{target=\"x\"} 1.5\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
