//! A server's transcript: the lines that it prints about what it does.
//!
//! They go to standard output through an outbox, so that the event loop never waits
//! for whoever reads them. A record of several lines is kept together.

mod direct;
mod outbox;
mod pace;
mod printer;

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use crate::descriptors;
use crate::exit::{Failure, reason};
use crate::logging;
use crate::output::json::{self, Field};
use crate::output::stdout::{self, StandardOutput};
use crate::output::{Output, Stamp, Style};

use direct::Direct;
use outbox::Outbox;

/// A server's transcript. Dropping it writes out the lines that are left, for one
/// second at most.
#[derive(Debug)]
pub struct Transcript {
    outbox: Outbox,
    style: Style,
    stamp: Stamp,
}

impl Transcript {
    /// Sets up logging to standard output. Nothing is written before [`Transcript::start`].
    ///
    /// # Errors
    /// `RUST_LOG` is invalid, or there is no memory for the thread that writes.
    pub fn new(output: Output) -> Result<Self, Failure> {
        let (style, stamp) = (output.style(), output.stamp());
        // Not with the last descriptor: a connection needs that more.
        let direct = Direct::to(io::stdout().as_fd()).filter(|_| descriptors::check_free().is_ok());
        let outbox = Outbox::new(direct).map_err(|error| failed(&error))?;
        let logged = outbox.clone();
        let write = move |record: &[u8]| {
            logged.put(record);
            Ok(())
        };
        logging::log_to(write, output, style)?;
        Ok(Self { outbox, style, stamp })
    }

    /// Has the lines written that wait, by this thread if that takes no waiting. An event loop
    /// calls this once a turn, before it waits; `now` is the time of the turn.
    pub fn publish(&self, now: Instant) {
        self.outbox.publish(now);
    }

    /// Writes the first lines, which do not wait for the start of a thread, and starts the thread
    /// that writes all that comes later. Calls `on_broken_pipe` when the reader goes away for good.
    /// After any other error of standard output the server goes on; the lines that could not be
    /// written are counted.
    ///
    /// # Errors
    /// There is no memory for a thread: then nothing is written. Or the system refuses a thread.
    pub fn start(&self, on_broken_pipe: impl Fn() + Send + 'static) -> Result<(), Failure> {
        Outbox::check_memory().map_err(|error| failed(&error))?;
        self.write_first();
        let (style, stamp) = (self.style, self.stamp);
        let notice = move |lines: u64| {
            if style == Style::Json {
                return json::object("missing", stamp.time(), &[("lines", Field::Number(lines))]);
            }
            let (s, are) = if lines == 1 { ("", "is") } else { ("s", "are") };
            format!("{stamp}[!] {lines} line{s} {are} missing here, which could not be written\n")
        };
        let started = self.outbox.start(StandardOutput, notice, on_broken_pipe);
        started.map_err(|error| failed(&error))
    }

    /// Writes the first lines, if that does not have to wait for a reader.
    fn write_first(&self) {
        if stdout::has_room(io::stdout().as_fd()) {
            self.outbox.write_now(StandardOutput);
        }
    }

    /// Ends the transcript. With `--json`, the failure in `result` becomes the last
    /// object, with `-qq` the only one; its line on standard error is left to `exit::report`.
    ///
    /// # Errors
    /// The failure in `result`.
    pub fn end(self, result: Result<(), Failure>) -> Result<(), Failure> {
        if self.style == Style::Text {
            return result;
        }
        result.map_err(|failure| {
            if let Some(object) = failure.object(self.stamp) {
                self.outbox.put(object.as_bytes());
            }
            failure.without_object()
        })
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        if !self.outbox.close() {
            self.write_first();
        }
    }
}

/// The failure of standard output.
fn failed(error: &io::Error) -> Failure {
    Failure::local("standard output", reason(error))
}
