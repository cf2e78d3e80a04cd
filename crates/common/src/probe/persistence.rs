//! How often a client tries, and how long everything may take: `--wait` and
//! `--deadline`.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::duration;
use crate::exit::Failure;
use crate::probe::outcome::Ended;
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::report::Reporter;

/// The time from the beginning of an attempt to the beginning of the next, unless the
/// attempt took longer: short enough for whoever waits, long enough to burden nobody.
const INTERVAL: Duration = Duration::from_secs(1);

/// With a deadline, the interval is a tenth of the deadline if that is shorter, but at
/// least this long. So the last attempt is not long before the deadline.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// The options that say how often a client tries, and for how long.
#[derive(Args, Clone, Copy, Debug)]
pub struct Persistence {
    /// Try again and again until the outcome is as expected
    #[arg(long, display_order = 12)]
    wait: bool,

    /// How long everything may take [default: no limit]
    #[arg(short = 'w', long, value_name = "DUR", value_parser = duration::parse, display_order = 13)]
    deadline: Option<Duration>,
}

impl Persistence {
    /// Whether `--wait` or `--deadline` is given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.wait || self.deadline.is_some()
    }

    /// When everything that begins at `start` has to end, if there is a deadline.
    #[must_use]
    pub fn end(&self, start: Instant) -> Option<Instant> {
        self.deadline.map(|deadline| start + deadline)
    }

    /// Makes one attempt, or with `--wait` as many as it takes, and reports the last one.
    /// `attempt` is given the instant at which everything has to end, if there is one.
    ///
    /// # Errors
    /// The exchange did not come out as expected, or not in time.
    pub fn run(
        self,
        reporter: &Reporter,
        mut attempt: impl FnMut(Option<Instant>) -> Result<Ended, Failure>,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let end = self.end(start);
        let interval = self
            .deadline
            .map_or(INTERVAL, |deadline| (deadline / 10).clamp(SHORTEST_INTERVAL, INTERVAL));
        let (mut due, mut before) = (start, None);
        loop {
            let ended = attempt(end)?;
            let is_expected = reporter.is_expected(&ended.last);
            let now = Instant::now();
            let is_cut_short = end.is_some_and(|end| end <= now) && more_time_could_help(&ended);
            match (is_expected, is_cut_short, self.wait) {
                (true, false, _) | (false, _, false) => return reporter.exchange(&ended),
                (true, true, false) => return reporter.cut_short(&ended),
                (_, _, true) => {}
            }
            // Silence that was cut short says less than the outcome of the attempt before.
            let last = before.filter(|_| is_cut_short).unwrap_or(ended);
            due = (due + interval).max(now);
            if end.is_some_and(|end| due >= end) {
                return reporter.give_up(&last, start.elapsed());
            }
            before = Some(last);
            thread::sleep(due.saturating_duration_since(now));
        }
    }
}

/// Whether the outcome could have been different with more time.
fn more_time_could_help(ended: &Ended) -> bool {
    match ended.last.verdict() {
        Verdict::Timeout | Verdict::NoReply | Verdict::WrongSource => true,
        Verdict::Unresolved => ended.last.cause() == Some(Cause::NoResolver),
        _ => false,
    }
}
