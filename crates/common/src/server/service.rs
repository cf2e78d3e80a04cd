//! The part of the command line that both servers have.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::duration;
use crate::options::number;
use crate::output::Output;
use crate::server::goal::{Asked, Goal};
use crate::server::interval::Interval;
use crate::server::listen::Listen;
use crate::{checked, taken};

/// The most event loops: as many as a large machine has cores. More is a slip of the
/// hand.
const MOST_WORKERS: usize = 1024;

/// The options that both servers have.
#[derive(Args, Clone, Debug)]
pub struct Service {
    /// Where the server listens.
    #[command(flatten)]
    pub listen: Listen,

    /// Answer with what this server saw: host=NAME peer=IP:PORT n=COUNT
    #[arg(long, conflicts_with = "reply", display_order = 10)]
    pub witness: bool,

    /// When the server stops by itself.
    #[command(flatten)]
    goal: Asked,

    /// Event loops, one thread each; 0: one per core
    #[arg(
        long, value_name = "N", default_value_t = 1, display_order = 13,
        value_parser = number(0, MOST_WORKERS as u64),
    )]
    workers: u64,

    /// Print the totals every DUR
    #[arg(long, value_name = "DUR", value_parser = checked!(duration::parse_from_1ms), display_order = 14)]
    stats: Option<Duration>,

    /// How the server prints what it does.
    #[command(flatten)]
    pub output: Output,
}

taken!(Service { listen, witness, goal, workers, stats, output });

impl Service {
    /// How many event loops to run.
    #[must_use]
    pub fn workers(&self) -> NonZeroUsize {
        let workers = usize::try_from(self.workers).unwrap_or(MOST_WORKERS);
        NonZeroUsize::new(workers).unwrap_or_else(cores)
    }

    /// The goal of a run of `loops` event loops, which begins at `now`.
    #[must_use]
    pub fn goal(&self, loops: usize, now: Instant) -> Goal {
        Goal::new(self.goal.clone(), loops, now)
    }

    /// When to print the totals, in a run that begins at `now`.
    #[must_use]
    pub fn stats(&self, now: Instant) -> Option<Interval> {
        self.stats.map(|length| Interval::new(length, now))
    }
}

/// The number of cores that this process may run on. (The standard library's function
/// also heeds the quotas of cgroups, and makes the binary 10 KB larger.)
fn cores() -> NonZeroUsize {
    let this_thread = Pid::from_raw(0);
    let cores = sched_getaffinity(this_thread).map_or(1, |cores| {
        (0..CpuSet::count()).filter(|&core| cores.is_set(core).unwrap_or(false)).count()
    });
    NonZeroUsize::new(cores).unwrap_or(NonZeroUsize::MIN)
}
