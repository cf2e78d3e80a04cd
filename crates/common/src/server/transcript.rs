//! A server's transcript: the lines that it prints about what it does.
//!
//! They go to standard output, through an outbox that never makes the event loop
//! wait for a reader. A record of several lines is never torn apart.

mod outbox;
mod printer;

use std::io::{self, Write};

use env_logger::Target;

use crate::exit::{Failure, reason};
use crate::logging;
use crate::output::json::{self, Field};
use crate::output::stdout::StandardOutput;
use crate::output::{Output, Stamp, Style};

use outbox::Outbox;

/// A server's transcript. When it is dropped, it writes out what is left, and
/// waits a second at most for that.
#[derive(Debug)]
pub struct Transcript {
    outbox: Outbox,
    style: Style,
    stamp: Stamp,
}

impl Transcript {
    /// Sets up logging to standard output. Calls `on_broken_pipe` when the reader
    /// goes away for good. Any other trouble with standard output costs lines,
    /// which are counted, but not the service.
    ///
    /// # Errors
    /// Says what is wrong with `RUST_LOG`, or that no thread can be started.
    pub fn start(
        output: Output,
        on_broken_pipe: impl Fn() + Send + 'static,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::local("standard output", reason(&error));
        let out = StandardOutput::open().map_err(failed)?;
        let (style, stamp) = (output.style(), output.stamp());
        let notice = move |lines: u64| {
            if style == Style::Json {
                return json::object("missing", stamp.time(), &[("lines", Field::Number(lines))]);
            }
            let (s, are) = if lines == 1 { ("", "is") } else { ("s", "are") };
            format!("{stamp}[!] {lines} line{s} {are} missing here, which could not be written\n")
        };
        let outbox = Outbox::start(out, notice, on_broken_pipe).map_err(failed)?;
        logging::log_to(Target::Pipe(Box::new(outbox.clone())), output, style)?;
        Ok(Self { outbox, style, stamp })
    }

    /// Lets the lines written so far go out. A loop calls it once a turn, before
    /// it waits.
    pub fn publish(&self) {
        self.outbox.publish();
    }

    /// Writes the last line, if there is one to be written: with `--json` a failure
    /// is an object among the others. Its words are left to standard error.
    ///
    /// # Errors
    /// Hands `outcome` on.
    pub fn end(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        if self.style == Style::Text {
            return outcome;
        }
        outcome.map_err(|failure| {
            if log::max_level() > log::LevelFilter::Off
                && let Some(object) = failure.object(self.stamp)
            {
                // The outbox takes what it has room for, and counts the rest.
                let _ = self.outbox.write_all(object.as_bytes());
            }
            failure.object_written()
        })
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        self.outbox.close();
    }
}
