//! How often a client tries, and how long everything may take: `--wait` and
//! `--deadline`.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::duration;
use crate::exit::Failure;
use crate::probe::outcome::Outcomes;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::report::Reporter;

/// From the beginning of an attempt to that of the next, where it did not take
/// longer: often enough for who waits, and seldom enough to burden nobody.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where a deadline is near it is a tenth of that, but no less than this: so
/// the last attempt is not long before it.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// The options that say how often, and how long.
#[derive(Args, Clone, Copy, Debug)]
pub struct Persistence {
    /// Try again and again until it comes out as expected
    #[arg(long, display_order = 12)]
    wait: bool,

    /// How long everything may take [default: no limit]
    #[arg(short = 'w', long, value_name = "DUR", value_parser = duration::parse, display_order = 13)]
    deadline: Option<Duration>,
}

impl Persistence {
    /// Whether any of them is given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.wait || self.deadline.is_some()
    }

    /// When everything ends at the latest, if it begins at `start`.
    #[must_use]
    pub fn end(&self, start: Instant) -> Option<Instant> {
        self.deadline.map(|deadline| start + deadline)
    }

    /// Has `attempt` try, which may take until an instant where there is one,
    /// and the reporter tell what came of it.
    ///
    /// # Errors
    /// It did not come out as expected, or not in time.
    pub fn run(
        self,
        reporter: &Reporter,
        mut attempt: impl FnMut(Option<Instant>) -> Result<Outcomes, Failure>,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let end = self.end(start);
        let interval = self
            .deadline
            .map_or(INTERVAL, |deadline| (deadline / 10).clamp(SHORTEST_INTERVAL, INTERVAL));
        let (mut due, mut before) = (start, None);
        loop {
            let mut outcomes = attempt(end)?;
            let is_wanted = reporter.judge(&mut outcomes.last);
            let now = Instant::now();
            let is_cut_short = end.is_some_and(|end| end <= now) && is_silence(&outcomes);
            match (is_wanted, is_cut_short, self.wait) {
                (true, false, _) | (false, _, false) => return reporter.tell(&outcomes),
                (true, true, false) => return reporter.cut_short(&outcomes),
                (_, _, true) => {}
            }
            // That silence says less than what came before.
            let last = before.filter(|_| is_cut_short).unwrap_or(outcomes);
            due = (due + interval).max(now);
            if end.is_some_and(|end| due >= end) {
                return reporter.give_up(&last, start.elapsed());
            }
            before = Some(last);
            thread::sleep(due.saturating_duration_since(now));
        }
    }
}

/// Whether more time could have made another outcome of it.
fn is_silence(outcomes: &Outcomes) -> bool {
    matches!(
        outcomes.last.verdict(),
        Verdict::Timeout | Verdict::NoReply | Verdict::WrongSource | Verdict::Unresolved
    )
}
