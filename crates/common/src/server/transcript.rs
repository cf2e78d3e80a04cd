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
    /// Sets up logging to standard output. Calls `on_broken_pipe` when the reader
    /// goes away for good. After any other error of standard output the server goes
    /// on; the lines that could not be written are counted.
    ///
    /// # Errors
    /// `RUST_LOG` is invalid, or no thread can be started.
    pub fn start(
        output: Output,
        on_broken_pipe: impl Fn() + Send + 'static,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::local("standard output", reason(&error));
        let (style, stamp) = (output.style(), output.stamp());
        let notice = move |lines: u64| {
            if style == Style::Json {
                return json::object("missing", stamp.time(), &[("lines", Field::Number(lines))]);
            }
            let (s, are) = if lines == 1 { ("", "is") } else { ("s", "are") };
            format!("{stamp}[!] {lines} line{s} {are} missing here, which could not be written\n")
        };
        let direct = Direct::to(io::stdout().as_fd());
        let outbox =
            Outbox::start(StandardOutput, direct, notice, on_broken_pipe).map_err(failed)?;
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

    /// Writes the first lines at once if that does not have to wait for a reader. The thread that
    /// writes takes a while until it runs.
    pub fn write_first(&self) {
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
        self.outbox.close();
    }
}
