//! When a server stops by itself, and whether that is a success: `--count`, `--idle-exit`
//! and `--expect-message`.
//!
//! Scripts use them to assert that traffic arrived, or that it did not. All event
//! loops share one goal, which reads no clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::duration::{self, words};
use crate::exit::Failure;
use crate::options::{Text, text};
use crate::protocol::BUFFER_SIZE;
use crate::{checked, taken};

/// Why more is not known: this machine lacks something, and peers are not at fault.
const WAITING: &str = "somebody waits who could not be served";

/// Why the run ended before its goal was reached or missed.
const UNREAD: &str = "standard output lost its reader";

/// The options that say what the goal of a run is.
#[derive(Args, Clone, Debug, Default)]
pub struct Asked {
    /// Stop after N exchanges
    #[arg(short, long, value_name = "N", value_parser = parse_count, display_order = 11)]
    pub(super) count: Option<u64>,

    /// Stop when nobody has come for DUR
    #[arg(long, value_name = "DUR", value_parser = checked!(duration::parse_from_1ms), display_order = 12)]
    pub(super) idle_exit: Option<Duration>,

    /// For --count and --idle-exit, only messages that begin with TEXT count
    #[arg(
        long, value_name = "TEXT", value_parser = text(BUFFER_SIZE), allow_hyphen_values = true,
        display_order = 13,
    )]
    pub(super) expect_message: Option<Text>,
}

taken!(Asked { count, idle_exit, expect_message });

/// Parses how many exchanges end a server.
fn parse_count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("not a whole number from 1 on (without --count a server goes on)".to_owned()),
    }
}

/// The goal of a run, and what has been done and noticed so far. Times are nanoseconds from
/// the beginning of the run.
#[derive(Debug)]
pub struct Goal {
    asked: Asked,
    begun: Instant,
    /// Whether only some messages count.
    selects: bool,
    /// Messages that do not count, if there are any.
    excepted: Option<fn(&[u8]) -> bool>,
    /// Exchanges that count, if `--count` is asked for.
    counted: AtomicU64,
    /// Whether somebody came.
    has_come: AtomicBool,
    /// The time of the last arrival.
    last_arrival: AtomicU64,
    /// For each event loop, the time up to which it has noticed whoever came.
    noticed: Box<[AtomicU64]>,
    /// Whether the run ended because nobody came.
    was_idle: AtomicBool,
    /// Whether somebody was left waiting who could not be served.
    left_waiting: AtomicBool,
}

impl Goal {
    /// The goal of a run of `loops` event loops, which begins at `now`.
    #[must_use]
    pub fn new(asked: Asked, loops: usize, now: Instant) -> Self {
        Self {
            selects: asked.expect_message.is_some(),
            asked,
            begun: now,
            excepted: None,
            counted: AtomicU64::new(0),
            has_come: AtomicBool::new(false),
            last_arrival: AtomicU64::new(0),
            noticed: (0..loops).map(|_| AtomicU64::new(0)).collect(),
            was_idle: AtomicBool::new(false),
            left_waiting: AtomicBool::new(false),
        }
    }

    /// The same goal, for which messages that are `excepted` do not count.
    #[must_use]
    pub fn except(self, excepted: fn(&[u8]) -> bool) -> Self {
        Self { selects: true, excepted: Some(excepted), ..self }
    }

    /// Notes that somebody came at `now`, with a message that is not known yet. If a certain
    /// message is expected, nobody has come before it.
    pub fn note_connection(&self, now: Instant) {
        if self.asked.expect_message.is_none() {
            self.note_arrival(now);
        }
    }

    /// Notes a message that came at `now`; `None` if the peer ended its side without one.
    /// Returns whether the exchange will count.
    pub fn note_message(&self, message: Option<&[u8]>, now: Instant) -> bool {
        let counts = !self.selects || self.is_selected(message);
        if counts {
            self.note_arrival(now);
        }
        counts
    }

    /// Whether `message` is one of those that count, if not all do.
    #[inline(never)] // Mostly all do.
    fn is_selected(&self, message: Option<&[u8]>) -> bool {
        let is_excepted = |message| self.excepted.is_some_and(|excepted| excepted(message));
        let is_expected = match &self.asked.expect_message {
            Some(Text(expected)) => message.is_some_and(|message| message.starts_with(expected)),
            None => true,
        };
        is_expected && !message.is_some_and(is_excepted)
    }

    fn note_arrival(&self, now: Instant) {
        if self.asked.idle_exit.is_some() {
            self.has_come.store(true, Ordering::Relaxed);
            // The others read it after they have read that this loop has noticed it.
            self.last_arrival.fetch_max(self.time(now), Ordering::SeqCst);
        }
    }

    /// Notes that so many `exchanges` which count have taken place.
    pub fn note_exchanges(&self, exchanges: u64) {
        // Otherwise all event loops would write, for nothing, where all of them read.
        if self.asked.count.is_some() {
            self.counted.fetch_add(exchanges, Ordering::Relaxed);
        }
    }

    /// Whether `--count` is reached, or will be after the exchanges `under_way` that count.
    #[must_use]
    pub fn is_reached(&self, under_way: u64) -> bool {
        let counted = self.counted.load(Ordering::Relaxed);
        self.asked.count.is_some_and(|count| counted + under_way >= count)
    }

    /// Notes that the event loop with this `number` has noticed whoever came before `until`.
    /// Returns whether the run seems to be over, as nobody came for too long. It is over when
    /// this is so for all the loops.
    pub fn note_noticed(&self, number: usize, until: Instant) -> bool {
        let Some(idle_at) = self.idle_at() else {
            return false;
        };
        let until = self.time(until);
        if let Some(noticed) = self.noticed.get(number) {
            // Of two loops that do this at once, at least one sees what the other has stored.
            noticed.store(until, Ordering::SeqCst);
        }
        until >= idle_at
    }

    /// When the event loop with this `number` has to look again whether the run is over.
    ///
    /// A loop that has nothing more to notice leaves the end to the slower ones. If one of
    /// these notices an arrival, the end is no more than `--idle-exit` later than this loop
    /// knows.
    #[must_use]
    pub fn look_at(&self, number: usize) -> Option<Instant> {
        let (idle_at, idle_exit) = (self.idle_at()?, nanos(self.asked.idle_exit?));
        let noticed = self.noticed.get(number)?.load(Ordering::SeqCst);
        let at = if noticed < idle_at { idle_at } else { noticed.saturating_add(idle_exit) };
        Some(self.begun + Duration::from_nanos(at))
    }

    /// Whether the run is over: there were enough exchanges, or nobody came for too long. The
    /// latter is remembered for [`Goal::check`].
    pub fn is_over(&self) -> bool {
        let is_idle = self.is_idle();
        if is_idle {
            self.was_idle.store(true, Ordering::Relaxed);
        }
        is_idle || self.is_reached(0)
    }

    /// Whether every event loop has noticed whoever came until the run ends.
    fn is_idle(&self) -> bool {
        if self.asked.idle_exit.is_none() {
            return false;
        }
        let noticed = self.noticed.iter().map(|noticed| noticed.load(Ordering::SeqCst)).min();
        // Read afterwards, so that it has in it whoever these loops have noticed.
        let idle_at = self.idle_at();
        idle_at.is_some_and(|idle_at| noticed.is_some_and(|noticed| noticed >= idle_at))
    }

    /// Notes that somebody is left waiting at the end who could not be served.
    pub fn note_left_waiting(&self) {
        self.left_waiting.store(true, Ordering::Relaxed);
    }

    /// Whether the run was a success that ended by its goal.
    ///
    /// # Errors
    /// It ended because nobody came any more, and there were too few exchanges or,
    /// without a count, nobody had come at all.
    pub fn check(&self) -> Result<(), Failure> {
        let was_idle = self.was_idle.load(Ordering::Relaxed);
        let Some(idle) = self.asked.idle_exit.filter(|_| was_idle) else {
            return Ok(());
        };
        match self.asked.count {
            Some(count) if !self.is_reached(0) => {
                Err(Failure::outcome(format_args!("--count {count}"), self.too_few(idle)))
            }
            None if !self.has_come.load(Ordering::Relaxed) => self.check_nobody(idle),
            _ => Ok(()),
        }
    }

    /// Whether a run was a success that ended because standard output lost its reader.
    ///
    /// # Errors
    /// It was no success yet. With `--idle-exit` it was no failure either: whether nobody
    /// would have come is not known, so the status is not the one that says so.
    pub fn check_unread(&self) -> Result<(), Failure> {
        let (what, so_far) = match (self.asked.count, self.asked.idle_exit) {
            (Some(count), _) if !self.is_reached(0) => {
                (format!("--count {count}"), format!("{}, and then {UNREAD}", self.so_far()))
            }
            (None, Some(idle)) if !self.has_come.load(Ordering::Relaxed) => {
                let nobody = if self.is_expecting() { "no expected message" } else { "nobody" };
                (format!("--idle-exit {}", words(idle)), format!("{nobody} had come when {UNREAD}"))
            }
            _ => return Ok(()),
        };
        let failure =
            if self.asked.idle_exit.is_some() { Failure::local } else { Failure::outcome };
        Err(failure(what, so_far))
    }

    /// `1 exchange, and then nobody for 2s`
    fn too_few(&self, idle: Duration) -> String {
        let so_far = self.so_far();
        if self.left_waiting.load(Ordering::Relaxed) {
            return format!("{so_far}, and {WAITING}");
        }
        let nobody = if self.is_expecting() { "none" } else { "nobody" };
        format!("{so_far}, and then {nobody} for {}", words(idle))
    }

    /// `1 exchange`
    fn so_far(&self) -> String {
        let exchanges = self.counted.load(Ordering::Relaxed);
        let expected = if self.is_expecting() { " expected" } else { "" };
        let s = if exchanges == 1 { "" } else { "s" };
        format!("{exchanges}{expected} exchange{s}")
    }

    fn is_expecting(&self) -> bool {
        self.asked.expect_message.is_some()
    }

    /// What it means that nobody has come who counts.
    fn check_nobody(&self, idle: Duration) -> Result<(), Failure> {
        let is_waiting = self.left_waiting.load(Ordering::Relaxed);
        let reason = match (self.is_expecting(), is_waiting) {
            (false, true) => return Ok(()),
            // Perhaps with the expected message. So this run proves nothing.
            (true, true) => return Err(Failure::local("--idle-exit", WAITING)),
            (true, false) => format!("no expected message came in {}", words(idle)),
            (false, false) => format!("nobody came in {}", words(idle)),
        };
        Err(Failure::outcome("--idle-exit", reason))
    }

    /// When the run ends if nobody comes before.
    fn idle_at(&self) -> Option<u64> {
        let idle_exit = nanos(self.asked.idle_exit?);
        Some(self.last_arrival.load(Ordering::SeqCst).saturating_add(idle_exit))
    }

    fn time(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.begun))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "goal_tests.rs"]
mod tests;
