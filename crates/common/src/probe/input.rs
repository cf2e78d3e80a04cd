//! Standard input, which is waited for: until bytes come, a signal, or the deadline. So it may
//! be anything, and non-blocking, too: other processes may share it, and so it is left as it is.

use std::io::stdin;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::Error as Errno;
use nix::poll::PollFlags;
use nix::unistd::read;

use crate::exit::{Failure, reason};
use crate::probe::interrupt;

/// How many bytes are read at once: what a pipe holds.
const AT_ONCE: usize = 64 * 1024;

/// What has been read of standard input, and was not used yet.
#[derive(Debug)]
pub struct Input {
    buffer: Vec<u8>,
    used: usize,
    end: Option<Instant>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum More<'a> {
    /// Some bytes.
    Bytes(&'a [u8]),
    /// The end.
    End,
    /// The time for reading is up.
    TimedOut,
}

impl Input {
    /// Standard input, which is read until `end` at the latest.
    #[must_use]
    pub fn new(end: Option<Instant>) -> Self {
        Self { buffer: Vec::new(), used: 0, end }
    }

    /// What comes next. Waits for that if all that was read has been used.
    ///
    /// # Errors
    /// Standard input cannot be read, or a signal has come.
    pub fn more(&mut self) -> Result<More<'_>, Failure> {
        if self.used == self.buffer.len() && !self.fill()? {
            return Ok(More::TimedOut);
        }
        Ok(match &self.buffer[self.used..] {
            [] => More::End,
            bytes => More::Bytes(bytes),
        })
    }

    /// Notes that `count` bytes have been used.
    pub fn consume(&mut self, count: usize) {
        self.used += count;
    }

    /// Reads more, or nothing if standard input has ended. Returns false if the time is up.
    fn fill(&mut self) -> Result<bool, Failure> {
        let input = stdin();
        self.used = 0;
        self.buffer.resize(AT_ONCE, 0);
        let len = loop {
            if !interrupt::wait(input.as_fd(), PollFlags::POLLIN, self.end)? {
                break None;
            }
            // If somebody else who shares it was faster, this waits; then for a signal, too.
            match interrupt::interruptible(|| read(&input, &mut self.buffer)) {
                // It does not wait if it is non-blocking; or Ctrl-Z and fg.
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => {
                    return Err(Failure::local("standard input", reason(&error.into())));
                }
                Ok(len) => break Some(len),
            }
        };
        self.buffer.truncate(len.unwrap_or(0));
        Ok(len.is_some())
    }
}
