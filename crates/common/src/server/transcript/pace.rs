//! How fast lines come, and so who writes them: an event loop by itself, or the writer, and
//! whether it pays the writer to linger for the next ones.

use std::time::{Duration, Instant};

/// How long the writer lingers for more lines before it sleeps. Under load it so writes a thousand
/// times a second at most, while a reader notices no delay.
pub(crate) const LINGER: Duration = Duration::from_millis(1);

/// How many times in a row the event loops may write by themselves: for the lines of several
/// exchanges that come together, and not for a load.
const IN_A_ROW: u32 = 8;

/// How fast lines come. A state machine: `now` is handed in.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When lines were last found.
    found_at: Option<Instant>,
    lingers: bool,
    /// When the loops will have made no more than one write in each [`LINGER`].
    even_at: Option<Instant>,
}

impl Pace {
    /// Whether an event loop may write the lines that it has at `now`, and counts it. Beyond one
    /// write in each [`LINGER`], and a few in a row, it is cheaper to wake the writer, which lingers.
    pub(crate) fn take_write(&mut self, now: Instant) -> bool {
        let even_at = self.even_at.map_or(now, |at| at.max(now));
        let may_write = even_at < now + LINGER * IN_A_ROW;
        if may_write {
            self.even_at = Some(even_at + LINGER);
            self.found_at = Some(now);
        }
        may_write
    }

    /// Notes that lines were found, either at once (after lingering, if the writer did) or after
    /// a sleep from which the writer had to be woken.
    pub(crate) fn note_lines(&mut self, now: Instant, has_slept: bool) {
        let was_short = |at: Instant| now.saturating_duration_since(at) < LINGER;
        // To linger for lines that come more slowly would be a wake-up more for nothing.
        self.lingers = !has_slept || self.found_at.is_some_and(was_short);
        self.found_at = Some(now);
    }

    /// Whether the writer lingers before it looks for more lines: for up to [`LINGER`].
    pub(crate) fn lingers(&self) -> bool {
        self.lingers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the writer gets up for a hundred lines, one every `interval`, and how long at most
    /// a line waits for it.
    fn looks(interval: Duration) -> (u32, Duration) {
        let start = Instant::now();
        let mut due = (1..=100_u32).map(|n| start + interval * n).peekable();
        let (mut pace, mut now) = (Pace::default(), start);
        let (mut looks, mut longest) = (0, Duration::ZERO);
        while let Some(&next) = due.peek() {
            if pace.lingers() {
                now += LINGER;
                looks += 1;
            }
            let has_slept = next > now;
            if has_slept {
                now = next;
                looks += 1;
            }
            longest = longest.max(now - next);
            while due.next_if(|&line| line <= now).is_some() {}
            pace.note_lines(now, has_slept);
        }
        (looks, longest)
    }

    #[test]
    fn a_line_a_second_costs_one_wake_up() {
        assert_eq!(looks(Duration::from_secs(1)), (100, Duration::ZERO));
        assert_eq!(looks(LINGER), (100, Duration::ZERO), "also where lingering barely misses");
    }

    #[test]
    fn many_lines_cost_one_wake_up_in_each_millisecond() {
        let (looks, longest) = looks(Duration::from_micros(10));
        assert!(looks <= 3, "{looks} for a hundred lines in a millisecond");
        assert!(longest <= LINGER, "{longest:?}");
    }

    #[test]
    fn no_rate_costs_more_than_a_wake_up_a_line_for_long() {
        for micros in [1, 100, 500, 700, 999, 1001, 1200, 1999, 2001, 5000] {
            let (looks, longest) = looks(Duration::from_micros(micros));
            assert!(looks <= 101, "{looks} wake-ups at {micros} us");
            assert!(longest <= LINGER, "{longest:?} at {micros} us");
        }
    }

    #[test]
    fn a_loop_writes_slow_lines_and_short_bursts_by_itself_and_no_load() {
        let start = Instant::now();
        let written = |interval: Duration| {
            let mut pace = Pace::default();
            (0..1000).filter(|&n| pace.take_write(start + interval * n)).count()
        };
        assert_eq!(written(Duration::from_secs(1)), 1000);
        assert_eq!(written(LINGER), 1000);
        let (burst, load) = (written(Duration::ZERO), written(LINGER / 10));
        assert_eq!(burst, IN_A_ROW as usize);
        assert!((100..=100 + burst).contains(&load), "{load} in 100 ms");
    }

    #[test]
    fn the_writer_that_takes_over_from_a_loop_lingers() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!(pace.take_write(start));
        pace.note_lines(start + LINGER / 2, true);
        assert!(pace.lingers());
    }

    #[test]
    fn a_pause_ends_the_lingering() {
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.note_lines(start, true);
        assert!(!pace.lingers(), "the first line");
        pace.note_lines(start + LINGER / 2, true);
        assert!(pace.lingers(), "another one soon after");
        pace.note_lines(start + 2 * LINGER, false);
        assert!(pace.lingers(), "it was worth it");
        pace.note_lines(start + 10 * LINGER, true);
        assert!(!pace.lingers(), "nothing came meanwhile");
    }
}
