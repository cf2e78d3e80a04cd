//! Lines on their way to standard output. A reader that is slow, or has stopped, does not hold
//! up the loop: then its delay would be in the times that the run measures.

use std::io::{self, Write};
use std::os::fd::AsFd;

use crate::exit::Failure;
use crate::output::stdout::{StandardOutput, has_room};
use crate::probe::interrupt::interruptible;

/// How many bytes may wait: some 40,000 lines. After that the loop has to wait for the reader,
/// and skips the probes that are due meanwhile.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// What a pipe takes at once if it has room: pipe(7), `PIPE_BUF`.
const AT_ONCE: usize = 4096;

/// The lines that standard output has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    lines: Vec<u8>,
    /// How many bytes at the beginning of `lines` have been written.
    written: usize,
}

impl Backlog {
    /// Adds `lines`.
    ///
    /// # Errors
    /// Too much was waiting, and standard output takes no more.
    pub(crate) fn push(&mut self, lines: &str) -> Result<(), Failure> {
        if self.lines.len() - self.written > MOST_WAITING {
            self.flush()?;
        }
        self.lines.extend_from_slice(lines.as_bytes());
        Ok(())
    }

    /// Whether lines are waiting.
    pub(crate) fn is_waiting(&self) -> bool {
        self.written < self.lines.len()
    }

    /// Writes as much as standard output takes at once.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub(crate) fn write(&mut self) -> Result<(), Failure> {
        while self.is_waiting() && has_room(io::stdout().as_fd()) {
            let end = self.lines.len().min(self.written + AT_ONCE);
            write(&self.lines[self.written..end])?;
            self.written = end;
        }
        if self.written > self.lines.len() / 2 {
            self.lines.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Writes everything. While a write waits for the reader, a signal ends the process.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.write()?;
        if self.is_waiting() {
            interruptible(|| write(&self.lines[self.written..]))?;
        }
        self.lines.clear();
        self.written = 0;
        Ok(())
    }
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let written = StandardOutput::open().and_then(|mut out| out.write_all(bytes));
    written.map_err(|_| Failure::unread())
}
