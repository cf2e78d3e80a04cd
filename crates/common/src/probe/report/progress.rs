//! A line that says how far a run has come, where somebody watches: on standard
//! error, if that is a terminal, from a second on.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use terminal_size::{Width, terminal_size_of};

/// From one line to the next, and before the first.
const INTERVAL: Duration = Duration::from_secs(1);

/// The columns of a terminal that does not say how many it has, and of what is
/// none.
const COLUMNS: usize = 80;

/// The line, which is always the last on the screen.
#[derive(Debug)]
pub struct Progress {
    /// None where nobody watches.
    next: Option<Instant>,
    is_drawn: bool,
}

impl Progress {
    /// Of a run that has begun `now`; where lines of the run are on the same
    /// terminal, they are the progress.
    #[must_use]
    pub fn new(now: Instant, has_lines: bool) -> Self {
        let is_watched = io::stderr().is_terminal() && !(has_lines && io::stdout().is_terminal());
        Self { next: is_watched.then(|| now + INTERVAL), is_drawn: false }
    }

    /// When it is to be drawn.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.next
    }

    /// Draws what `words` say, if it is time.
    pub fn tick(&mut self, now: Instant, words: impl FnOnce() -> String) {
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + INTERVAL);
            self.is_drawn = true;
            // A line that is full would wrap, and could not be taken back.
            let line: String = words().chars().take(columns(&io::stderr()) - 1).collect();
            write(&format!("\r{line}\x1b[K"));
        }
    }

    /// Takes the line back.
    pub fn clear(&mut self) {
        if self.is_drawn {
            self.is_drawn = false;
            write("\r\x1b[K");
        }
    }
}

/// The columns of a terminal.
pub(crate) fn columns(terminal: &impl std::os::fd::AsFd) -> usize {
    match terminal_size_of(terminal) {
        Some((Width(columns), _)) if columns > 1 => usize::from(columns),
        _ => COLUMNS,
    }
}

fn write(text: &str) {
    // A terminal that is gone has nobody before it.
    let _ = io::stderr().write_all(text.as_bytes());
}
