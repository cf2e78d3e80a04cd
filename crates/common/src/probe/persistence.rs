//! How often a client tries, and how long everything may take: the options `--wait` and
//! `--deadline`.

use std::time::{Duration, Instant};

use clap::Args;

use crate::duration;
use crate::exit::Failure;
use crate::probe::outcome::Ended;
use crate::probe::report::Reporter;
use crate::probe::target::Target;
use crate::{checked, taken};

/// The time from the beginning of an attempt to the beginning of the next: short enough for
/// whoever waits, long enough to burden nobody.
const INTERVAL: Duration = Duration::from_secs(1);

/// With a deadline, the interval is a tenth of the deadline if that is shorter, but at
/// least this long. So the last attempt is not long before the deadline.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// The options that say how often a client tries, and for how long.
#[derive(Args, Clone, Copy, Debug)]
#[group(skip)]
pub struct Persistence {
    /// Try again and again until the outcome is as expected
    #[arg(long, display_order = 12)]
    wait: bool,

    /// How long everything may take [default: no limit]
    #[arg(short = 'w', long, value_name = "DUR", value_parser = checked!(duration::parse), display_order = 13)]
    deadline: Option<Duration>,
}

taken!(Persistence { wait, deadline });

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

    /// Whether to try until the outcome is as expected.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.wait
    }

    /// The time from one attempt to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let tenth = |deadline: Duration| (deadline / 10).clamp(SHORTEST_INTERVAL, INTERVAL);
        self.deadline.map_or(INTERVAL, tenth)
    }

    /// The `target`, as attempts go there: with `--wait` and only one source port they have to
    /// take turns, and none of them may take long.
    #[must_use]
    pub fn with_turns(&self, target: &Target) -> Target {
        if self.wait { target.by_turns(INTERVAL) } else { target.copied() }
    }
}

/// Makes one `attempt`, which has to be over at `end`, and reports it.
///
/// # Errors
/// The exchange did not come out as expected, or not in time.
pub fn once(
    end: Option<Instant>,
    reporter: &Reporter,
    attempt: impl FnOnce() -> Result<Ended, Failure>,
) -> Result<(), Failure> {
    let ended = attempt()?;
    let over = ended.findings.as_ref().map_or_else(Instant::now, |findings| findings.begun);
    let is_cut_short = ended.last.is_cut_short(end, over);
    if is_cut_short && reporter.is_expected(&ended.last) {
        reporter.cut_short(&ended)
    } else {
        reporter.exchange(&ended)
    }
}
