//! What follows from the order of the probes: outages and jitter.
//!
//! Probes end out of order: a lost one ends a `--timeout` after it was sent, and those that were
//! sent after it may have been answered long before. So what has ended waits here until all
//! probes with lower numbers have ended. Most often there are none, and nothing waits.

use std::collections::VecDeque;
use std::mem;

use super::fate::Fate;
use super::jitter::Jitter;
use super::outages::Outages;

/// How many probes may have been sent after one that has not ended before that one is passed
/// over: as many as are sent in 6 s at 10,000 a second. They take 3 MiB.
const MOST_AHEAD: u64 = 1 << 16;

/// What follows from the order of the probes.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The streaks of probes that failed.
    pub outages: Outages,
    /// How much the reply times of neighbours differ.
    pub jitter: Jitter,
}

impl Figures {
    fn add(&mut self, number: u64, fate: Fate) {
        self.outages.add(number, &fate);
        self.jitter.add(number, fate.reply);
    }
}

/// The probes of a run in the order of their numbers.
#[derive(Clone, Debug)]
pub struct Succession {
    /// The lowest number of which no probe has ended.
    next: u64,
    /// What has ended from there on; none for a probe that has not.
    waiting: VecDeque<Option<Fate>>,
    figures: Figures,
}

impl Default for Succession {
    fn default() -> Self {
        Self { next: 1, waiting: VecDeque::new(), figures: Figures::default() }
    }
}

impl Succession {
    /// Enters the `fate` of the probe with this number. A probe that ends after it was passed
    /// over does not count.
    pub fn enter(&mut self, number: u64, fate: Fate) {
        if number < self.next {
            return;
        }
        if number == self.next && self.waiting.is_empty() {
            self.next += 1;
            return self.figures.add(number, fate);
        }
        let least = (number + 1).saturating_sub(MOST_AHEAD);
        let too_old = least.saturating_sub(self.next).min(self.waiting.len() as u64);
        (0..too_old).for_each(|_| self.pass());
        self.next = self.next.max(least);
        // Less than MOST_AHEAD.
        let at = (number - self.next) as usize;
        (self.waiting.len()..=at).for_each(|_| self.waiting.push_back(None));
        self.waiting[at] = Some(fate);
        let ready = self.waiting.iter().take_while(|fate| fate.is_some()).count();
        (0..ready).for_each(|_| self.pass());
    }

    /// Goes on to the next number.
    fn pass(&mut self) {
        if let Some(fate) = self.waiting.pop_front().flatten() {
            self.figures.add(self.next, fate);
        }
        self.next += 1;
    }

    /// Begins new figures with what has no place in the order yet. The figures so far stay here.
    pub fn split(&mut self) -> Self {
        let (next, waiting) = (self.next, mem::take(&mut self.waiting));
        Self { next, waiting, figures: Figures::default() }
    }

    /// The figures of what has ended so far, as if no other probe were under way.
    #[must_use]
    pub fn so_far(&self) -> Figures {
        let mut figures = self.figures.clone();
        let waiting = (self.next..).zip(&self.waiting);
        waiting.for_each(|(number, fate)| fate.iter().for_each(|fate| figures.add(number, *fate)));
        figures.outages.end();
        figures
    }
}

#[cfg(test)]
#[path = "succession_tests.rs"]
mod tests;
