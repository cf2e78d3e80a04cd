//! A line that says how far a run has come. It is drawn on standard error if that is a
//! terminal, once a second, from the first second on.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use terminal_size::{Width, terminal_size_of};

use crate::output::stdout::has_room;

/// The time before the first line, and from one line to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// The columns of a terminal that does not say how many it has, and of an output that is
/// no terminal.
const COLUMNS: usize = 80;

/// The progress line, always the last one on the screen.
#[derive(Debug)]
pub struct Progress {
    /// When the line is drawn next; none if nobody watches.
    next: Option<Instant>,
    is_drawn: bool,
}

impl Progress {
    /// The progress of a run that begins at `now`. It is drawn only if it `is_wanted`, and
    /// somebody watches.
    #[must_use]
    pub fn new(now: Instant, is_wanted: bool) -> Self {
        let is_watched = is_wanted && io::stderr().is_terminal() && can_erase();
        Self { next: is_watched.then(|| now + INTERVAL), is_drawn: false }
    }

    /// When the line is to be drawn next.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.next
    }

    /// Draws `words`, if it is time for that.
    pub fn draw(&mut self, now: Instant, words: impl FnOnce() -> String) {
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + INTERVAL);
            self.is_drawn = true;
            // A full line would wrap, and could not be erased.
            let line: String = words().chars().take(columns(&io::stderr()) - 1).collect();
            write(&format!("\r{line}\x1b[K"));
        }
    }

    /// Says `line` on standard error, where the progress may be drawn, and the key that has asked for
    /// it shown (`^\`).
    pub fn say(&mut self, line: &str) {
        self.clear();
        let begin = if io::stderr().is_terminal() { "\r" } else { "" };
        write(&format!("{begin}{line}\n"));
    }

    /// Takes the line off the screen.
    pub fn clear(&mut self) {
        if self.is_drawn {
            self.is_drawn = false;
            write("\r\x1b[K");
        }
    }
}

/// Whether the terminal can erase a line. One that is called dumb cannot, and of one without
/// a name nothing is known (environ(7), terminfo(5)).
fn can_erase() -> bool {
    env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb")
}

/// The columns of a terminal.
pub(crate) fn columns(terminal: &impl AsFd) -> usize {
    match terminal_size_of(terminal) {
        Some((Width(columns), _)) if columns > 1 => usize::from(columns),
        _ => COLUMNS,
    }
}

fn write(text: &str) {
    let mut stderr = io::stderr();
    // On a terminal that is held (Ctrl-S) nothing is drawn, since the loop would be held, too. If
    // the terminal is gone, nobody is watching.
    if has_room(stderr.as_fd()) {
        let _ = stderr.write_all(text.as_bytes());
    }
}
