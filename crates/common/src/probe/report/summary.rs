//! The summary of a run, in words.

use std::fmt;
use std::time::Duration;

use crate::address::{Address, Host};
use crate::duration::{self, Millis};
use crate::percent::Percent;
use crate::printable::printable;
use crate::probe::ledger::times::Times;
use crate::probe::ledger::{Ledger, Share};
use crate::probe::outcome::verdict::Verdict;

/// What a run came to.
#[derive(Debug)]
pub struct Summary<'a> {
    /// What was probed.
    pub target: &'a Address,
    /// What counted as success.
    pub expected: Verdict,
    /// What became of the probes.
    pub ledger: &'a Ledger,
    /// How long all of it took.
    pub elapsed: Duration,
    /// How long it took to resolve the name.
    pub resolve: Option<Duration>,
}

/// The percentiles that are told, in thousandths, and what they are called.
pub const PERCENTILES: [(u64, &str); 4] =
    [(500, "p50"), (900, "p90"), (990, "p99"), (999, "p99.9")];

/// Source ports and hosts that are named; more of them would hide the rest.
const MOST_NAMED: usize = 8;

/// That a probe was sent so much later than it was due is told: less is noise.
pub(crate) const NOISE: Duration = Duration::from_millis(1);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        self.counts(f)?;
        self.times(f)?;
        for remark in self.remarks() {
            writeln!(f, "{remark}")?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    /// How many probes have ended: shares are of these.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ledger.ended_in_all()
    }

    /// `--- box:6666 (192.0.2.1), resolved in 1.234 ms`
    fn heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--- {}", self.target)?;
        if let (Host::Name(_), Some(address)) = (&self.target.host, self.ledger.address) {
            write!(f, " ({})", address.ip())?;
        }
        match self.resolve {
            Some(resolve) => writeln!(f, ", resolved in {} ms", Millis(resolve)),
            None => writeln!(f),
        }
    }

    /// `10 sent in 9s: 8 ok, 2 no-reply, 1 late, 10.0 % lost`
    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ledger, expected, .. } = self;
        write!(f, "{} sent in {}:", ledger.sent, duration::words(self.elapsed))?;
        for verdict in Verdict::ALL {
            let count = ledger.count(verdict);
            if count > 0 || verdict == *expected {
                write!(f, " {count} {verdict},")?;
            }
        }
        for (count, what) in [
            (ledger.unfinished(), "unfinished"),
            (ledger.late, "late"),
            (ledger.duplicate, "duplicate"),
            (ledger.foreign, "foreign"),
        ] {
            if count > 0 {
                write!(f, " {count} {what},")?;
            }
        }
        if *expected == Verdict::Ok {
            writeln!(f, " {} % lost", Percent::of(ledger.lost(), self.ended()))
        } else {
            writeln!(f, " {} % not as expected", Percent::of(ledger.failed, self.ended()))
        }
    }

    /// Whether probes were sent so late that it shows.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        let (sent, due) = (self.ledger.from_sending(), &self.ledger.from_due);
        let is_longer = |due: Duration, sent: Duration| due > sent + NOISE + sent / 10;
        let at = |thousandths| match (due.percentile(thousandths), sent.percentile(thousandths)) {
            (Some(due), Some(sent)) => is_longer(due, sent),
            _ => false,
        };
        is_longer(due.greatest(), sent.greatest()) || PERCENTILES.iter().any(|(p, _)| at(*p))
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = self.ledger;
        let mut rows = vec![("connect", &ledger.connect), ("reply", &ledger.reply)];
        if self.is_behind() {
            let sent =
                if ledger.total.samples() > 0 { Some(("total", &ledger.total)) } else { None };
            rows.extend(sent.into_iter().chain([("from due", &ledger.from_due)]));
        }
        rows.retain(|(_, times)| times.samples() > 0);
        let most = rows.iter().map(|(_, times)| times.samples()).max().unwrap_or_default();
        if most == 0 {
            return Ok(());
        }
        let is_told = |times: &Times, p| times.percentile(p).is_some();
        let percentiles = PERCENTILES.into_iter();
        let told: Vec<_> =
            percentiles.filter(|(p, _)| rows.iter().any(|(_, t)| is_told(t, *p))).collect();
        let cell = |f: &mut fmt::Formatter<'_>, text: &dyn fmt::Display| write!(f, " {text:>8}");
        write!(f, "{:<8}", "ms")?;
        let words = ["min", "mean"].into_iter().chain(told.iter().map(|(_, word)| *word));
        words.chain(["max", "samples"]).try_for_each(|word| cell(f, &word))?;
        writeln!(f)?;
        for (name, times) in rows {
            write!(f, "{name:<8}")?;
            let millis = |time| Millis(time).to_string();
            cell(f, &millis(times.least()))?;
            cell(f, &millis(times.mean()))?;
            for (thousandths, _) in &told {
                let time = times.percentile(*thousandths);
                cell(f, &time.map_or_else(|| "-".to_owned(), millis))?;
            }
            cell(f, &millis(times.greatest()))?;
            cell(f, &times.samples())?;
            writeln!(f)?;
        }
        Ok(())
    }

    /// What is to be said besides.
    fn remarks(&self) -> Vec<String> {
        let ledger = self.ledger;
        let mut remarks = Vec::new();
        if let Some(lossy) = self.lossy_ports() {
            remarks.push(lossy);
        }
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
        remarks.extend(self.witnessed());
        remarks
    }

    /// The source ports that failed, where not all did: one bad path among many.
    fn lossy_ports(&self) -> Option<String> {
        let ports = self.ledger.ports.as_ref()?;
        let good = ports.used().filter(|(_, share)| share.failed == 0).count();
        let bad = ports.used().filter(|(_, share)| share.failed > 0);
        let words = |(port, share): (usize, Share)| {
            (share.failed, format!("{port} ({} of {})", share.failed, share.sent))
        };
        let bad: Vec<_> = bad.map(words).collect();
        if bad.is_empty() || good == 0 {
            return None;
        }
        let others = if good == 1 { "the other none did" } else { "others none did" };
        let others = if good == 1 { others.to_owned() } else { format!("{good} {others}") };
        Some(format!("Failed from source ports {}; from {others}.", most(bad)))
    }

    /// Which hosts answered, and how they saw us.
    fn witnessed(&self) -> Vec<String> {
        let sightings = &self.ledger.sightings;
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
}

/// The words that count most, first; and how many more there are.
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
