//! The options of a run: `--count`, `--interval`, `--flows`, `--max-loss`,
//! `--histogram`, `--every`, `--prometheus` and `--resolve-every`.

use std::ffi::{CStr, CString};
use std::time::Duration;

use clap::Args;

use crate::duration;
use crate::exit::Failure;
use crate::options::{Parse, Text, number, text};
use crate::percent::Percent;
use crate::probe::target::Target;
use crate::{checked, taken};

/// The default interval, which is also that of ping(8).
const INTERVAL: Duration = Duration::from_secs(1);

/// How many sockets may be open at once, if there are as many descriptors. A UDP port stays open
/// as long as a late reply may come to it, and a machine has some 28,000 ports
/// (`net.ipv4.ip_local_port_range`), of which others need some, too.
pub(crate) const MOST_SOCKETS: usize = 10_000;

/// How many flows there may be. A process often has no more than 1024 descriptors, and a flow
/// may need a second socket while the first one still waits for a late reply.
const MOST_FLOWS: u64 = 500;

/// How often a name is asked for in a run without an end: as long as many names are valid that may
/// change (their TTL, RFC 1035, section 3.2.1).
const RENEWAL: Duration = Duration::from_secs(60);

/// A name is asked for no more often than this: the resolver is not the one that is measured.
const SHORTEST_RENEWAL: Duration = Duration::from_secs(1);

/// The longest name of a file: `PATH_MAX`, in bytes.
const LONGEST_PATH: usize = 4095;

/// The shortest period. To report one takes some 0.1 ms, in which no probe is sent.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// The options of a run.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Probing {
    /// Send this many probes (from each flow), and measure; 0: until Ctrl-C
    #[arg(short, long, value_name = "N", value_parser = parse_count as Parse<u64>)]
    #[arg(conflicts_with = "wait", display_order = 30)]
    count: Option<u64>,

    /// Time between probes; 0: as soon as the last has ended [default: 1s]
    #[arg(short, long, value_name = "DUR", value_parser = checked!(duration::parse_or_zero), display_order = 31)]
    interval: Option<Duration>,

    /// Source ports to send from, each with its own probes [default: 1]
    #[arg(long, value_name = "N", value_parser = number(1, MOST_FLOWS), display_order = 32)]
    flows: Option<u64>,

    /// Share of probes that may fail in a successful run [default: 0]
    #[arg(long, value_name = "PERCENT", value_parser = checked!(str::parse::<Percent>), display_order = 33)]
    max_loss: Option<Percent>,

    /// Draw the distribution of reply times
    #[arg(long, display_order = 34)]
    histogram: bool,

    /// Print a summary of each DUR, too
    #[arg(long, value_name = "DUR", value_parser = checked!(parse_period), display_order = 35)]
    every: Option<Duration>,

    /// Keep the figures of the run in FILE, as Prometheus reads them
    #[arg(long, value_name = "FILE", value_parser = text(LONGEST_PATH), display_order = 36)]
    prometheus: Option<Text>,

    /// Ask for the name again every DUR; 0: never [default: 60s without an end]
    #[arg(long, value_name = "DUR", value_parser = checked!(parse_resolve_every), display_order = 37)]
    resolve_every: Option<Duration>,
}

taken!(Probing { count, interval, flows, max_loss, histogram, every, prometheus, resolve_every });

/// The path that `text` is. It lives as long as the process, as the command line does, and like that
/// has no zero byte.
fn path(text: &Text) -> Option<&'static CStr> {
    let path = CString::new(text.0.as_slice()).ok()?;
    Some(Box::leak(path.into_boxed_c_str()))
}

/// Parses how often a name is asked for.
fn parse_resolve_every(text: &str) -> Result<Duration, String> {
    let every = duration::parse_or_zero(text)?;
    let is_short = !every.is_zero() && every < SHORTEST_RENEWAL;
    if is_short { Err("shorter than 1s".to_owned()) } else { Ok(every) }
}

/// Parses how long a period is.
fn parse_period(text: &str) -> Result<Duration, String> {
    let every = duration::parse(text)?;
    let is_short = every < SHORTEST_PERIOD;
    if is_short { Err("shorter than 10ms".to_owned()) } else { Ok(every) }
}

/// Parses how many probes a flow sends.
fn parse_count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "not a whole number (0: until Ctrl-C)".to_owned())
}

/// The run that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many probes each flow sends; none if the run is endless.
    pub count: Option<u64>,
    /// The time from one probe's due time to the next one's. Zero: the next probe is due
    /// as soon as the last one has ended.
    pub interval: Duration,
    /// How many flows there are.
    pub flows: u32,
    /// Whether `--flows` was given. If so, each flow keeps its port, and the report names
    /// the ports.
    pub has_flows: bool,
    /// The share of probes that may fail in a successful run.
    pub max_loss: Percent,
    /// Whether the histogram is drawn.
    pub histogram: bool,
    /// How long each period is that has a summary; none if only the run has one.
    pub every: Option<Duration>,
    /// The file that keeps the figures, if there is to be one.
    pub prometheus: Option<&'static CStr>,
    /// How often the target's name is asked for again, if it is.
    pub resolve_every: Option<Duration>,
}

impl Plan {
    /// How many probes all flows send together; none if the run is endless.
    #[must_use]
    pub fn probes(&self) -> Option<u64> {
        self.count.map(|count| count.saturating_mul(u64::from(self.flows)))
    }
}

impl Probing {
    /// Whether there will be a run.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.count.is_some()
    }

    /// The run that is asked for, of `target`, if there is one.
    ///
    /// # Errors
    /// An option of a run is given, but not `--count`; or there are more flows than ports to
    /// send from.
    pub fn plan(&self, target: &Target) -> Result<Option<Plan>, Failure> {
        let Some(count) = self.count else {
            let alone = [
                (self.interval.is_some(), "--interval"),
                (self.flows.is_some(), "--flows"),
                (self.max_loss.is_some(), "--max-loss"),
                (self.histogram, "--histogram"),
                (self.every.is_some(), "--every"),
                (self.prometheus.is_some(), "--prometheus"),
                (self.resolve_every.is_some(), "--resolve-every"),
            ];
            return match alone.iter().find(|(is_given, _)| *is_given) {
                Some((_, option)) => Err(Failure::usage(option, "only with --count")),
                None => Ok(None),
            };
        };
        let flows = self.flows.and_then(|flows| u32::try_from(flows).ok()).unwrap_or(1);
        target.check_flows(flows)?;
        let default = (count == 0).then_some(RENEWAL);
        Ok(Some(Plan {
            count: (count > 0).then_some(count),
            interval: self.interval.unwrap_or(INTERVAL),
            flows,
            has_flows: self.flows.is_some(),
            max_loss: self.max_loss.unwrap_or_default(),
            histogram: self.histogram,
            every: self.every,
            prometheus: self.prometheus.as_ref().and_then(path),
            resolve_every: self.resolve_every.or(default).filter(|every| !every.is_zero()),
        }))
    }
}
