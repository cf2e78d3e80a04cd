//! Lines on their way to standard output. A reader that is slow, or has stopped, does not hold
//! up the loop: then its delay would be in the times that the run measures.

use std::io;
use std::os::fd::AsFd;

use nix::Error as Errno;
use nix::poll::PollFlags;
use nix::unistd::write;

use crate::exit::Failure;
use crate::output::stdout::{AT_ONCE, has_room};
use crate::probe::interrupt;

/// How many bytes may wait: some 40,000 lines. After that the loop has to wait for the reader,
/// and skips the probes that are due meanwhile.
const MOST_WAITING: usize = 4 * 1024 * 1024;

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
        self.push_bytes(lines.as_bytes())
    }

    /// Adds a line that may not be text.
    ///
    /// # Errors
    /// Those of [`Backlog::push`].
    pub(crate) fn push_bytes(&mut self, lines: &[u8]) -> Result<(), Failure> {
        if self.lines.len() - self.written > MOST_WAITING {
            self.flush()?;
        }
        self.lines.extend_from_slice(lines);
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
        while self.is_waiting() && has_room(io::stdout().as_fd()) && self.write_some()? {}
        if self.written > self.lines.len() / 2 {
            self.lines.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Writes everything.
    ///
    /// # Errors
    /// Standard output takes no more, or a signal has come while it was waited for.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.write()?;
        while self.is_waiting() {
            interrupt::wait(io::stdout().as_fd(), PollFlags::POLLOUT, None)?;
            self.write_some()?;
        }
        self.lines.clear();
        self.written = 0;
        Ok(())
    }

    /// Writes as much as a pipe takes at once. Returns whether it did: another process that
    /// shares standard output may have been faster, or may have made it non-blocking.
    fn write_some(&mut self) -> Result<bool, Failure> {
        let end = self.lines.len().min(self.written + AT_ONCE);
        match write(io::stdout(), &self.lines[self.written..end]) {
            Ok(written) => self.written += written,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(error) => return Err(Failure::unwritten(&error.into())),
        }
        Ok(true)
    }
}
