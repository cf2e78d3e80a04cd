//! Setting up [`log`]: env_logger formats each record as text or as JSON, and
//! writes it to an output. A server's output is its transcript, a client's is
//! standard error.
//!
//! A record may have several lines (a datagram's has two). With `--timestamps`
//! each line begins with the time.

use std::env;
use std::io::{self, Write};

use env_logger::{Builder, Target};

use crate::exit::Failure;
use crate::output::{Output, Style, json, stderr};

/// Logs to standard error, as text: a client's standard output is the reply. Calls `wait` before
/// each record, which may have to wait for a reader.
///
/// # Errors
/// Says what is wrong with `RUST_LOG`.
pub fn to_stderr(output: Output, wait: fn()) -> Result<(), Failure> {
    log_to(Target::Pipe(Box::new(StandardError { wait })), output, Style::Text)
}

struct StandardError {
    wait: fn(),
}

impl Write for StandardError {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        (self.wait)();
        stderr::write_all(record).map(|()| record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs to `target`, in `style`.
///
/// # Errors
/// Says what is wrong with `RUST_LOG`.
pub(crate) fn log_to(target: Target, output: Output, style: Style) -> Result<(), Failure> {
    let mut builder = Builder::new();
    builder.filter_level(output.level());
    if let Some(filters) = env::var_os("RUST_LOG").filter(|filters| !filters.is_empty()) {
        let filters = filters.to_string_lossy();
        // env_logger itself would only warn, in its own words, and go on.
        env_filter::Builder::new()
            .try_parse(&filters)
            .map_err(|_| Failure::usage("RUST_LOG", format!("not a filter: {filters}")))?;
        builder.parse_filters(&filters);
    }
    let stamp = output.stamp();
    builder
        .format(move |out, record| {
            if style == Style::Json {
                return json::write(out, record, stamp.time());
            }
            if !stamp.0 {
                return writeln!(out, "{}", record.args());
            }
            let record = record.args().to_string();
            for line in record.split('\n') {
                writeln!(out, "{stamp}{line}")?;
            }
            Ok(())
        })
        .target(target)
        .try_init()
        .map_err(|error| Failure::local("log", error))
}
