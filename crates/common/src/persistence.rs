//! How often a client tries, and how long everything may take: `--wait` and
//! `--deadline`.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::duration;
use crate::exit::Failure;
use crate::probe::outcome::Outcome;
use crate::probe::report::Reporter;

/// From the beginning of an attempt to that of the next, where it did not take
/// longer: often enough for who waits, and seldom enough to burden nobody.
const INTERVAL: Duration = Duration::from_secs(1);

/// The options that say how often, and how long.
#[derive(Args, Clone, Copy, Debug)]
pub struct Persistence {
    /// Try once a second until it comes out as expected
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

    /// Has `attempt` try, which may take so long where there is a limit, and
    /// the reporter tell what came of it.
    ///
    /// # Errors
    /// It did not come out as expected, or not in time.
    pub fn run(
        self,
        reporter: &Reporter,
        mut attempt: impl FnMut(Option<Duration>) -> Result<Vec<Outcome>, Failure>,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let mut due = start;
        loop {
            let time_left = self.deadline.map(|deadline| deadline.saturating_sub(start.elapsed()));
            let mut outcomes = attempt(time_left)?;
            let is_wanted = reporter.judge(&mut outcomes);
            if is_wanted || !self.wait {
                return reporter.tell(&outcomes);
            }
            due = (due + INTERVAL).max(Instant::now());
            if let Some(deadline) = self.deadline.filter(|&deadline| due - start >= deadline) {
                return reporter.give_up(&outcomes, deadline);
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}
