//! Setting up [`log`]: env_logger decides which records are printed. Each is formatted here,
//! as text or as JSON, and written to an output. A server's output is its transcript, a
//! client's is standard error.
//!
//! A record may have several lines (a datagram's has two). With `--timestamps`
//! each line begins with the time.

use std::cell::Cell;
use std::env;
use std::fmt;
use std::io::{self, Write};

use env_logger::{Builder, Target};
use log::Record;

use crate::exit::Failure;
use crate::output::{Output, Stamp, Style, json, stderr};

/// Logs to standard error, as text: a client's standard output is the reply. Calls `wait` before
/// each record, which may have to wait for a reader.
///
/// # Errors
/// Says what is wrong with `RUST_LOG`.
pub fn to_stderr(output: Output, wait: fn()) -> Result<(), Failure> {
    let write = move |record: &[u8]| {
        wait();
        stderr::write_all(record)
    };
    log_to(write, output, Style::Text)
}

/// Logs by `write`, in `style`. Each call has one record, whole.
///
/// # Errors
/// Says what is wrong with `RUST_LOG`.
pub(crate) fn log_to(
    write: impl Fn(&[u8]) -> io::Result<()> + Send + Sync + 'static,
    output: Output,
    style: Style,
) -> Result<(), Failure> {
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
        // Past env_logger's own buffer, lock and output, which would be one more of each.
        .format(move |_, record| {
            // Record by record the same buffer, which is as long as the longest one.
            let mut lines = LINES.take();
            lines.clear();
            let written = match style {
                Style::Text => write_text(&mut lines, record, stamp),
                Style::Json => json::write(&mut lines, record, stamp.time()),
            };
            let written = written.and_then(|()| write(&lines));
            LINES.set(lines);
            written
        })
        .target(Target::Pipe(Box::new(io::sink())))
        .try_init()
        .map_err(|error| Failure::local("log", error))
}

thread_local! {
    /// Where the thread formats a record.
    static LINES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Writes the lines of `record`, each with the time if lines begin with it.
fn write_text(lines: &mut Vec<u8>, record: &Record<'_>, stamp: Stamp) -> io::Result<()> {
    if let Some(time) = stamp.time() {
        write!(lines, "{time} ")?;
    }
    let stamp = lines.len();
    // Through `io::Write` each part would pass one adapter more.
    fmt::write(&mut Text(lines), *record.args()).map_err(|_| io::ErrorKind::Other)?;
    if stamp > 0 {
        stamp_others(lines, stamp);
    }
    lines.push(b'\n');
    Ok(())
}

/// Text that is being written. Writing to memory does not fail.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.extend_from_slice(part.as_bytes());
        Ok(())
    }
}

/// Begins all other lines as the first one begins: with the same `stamp` bytes.
fn stamp_others(lines: &mut Vec<u8>, stamp: usize) {
    let mut at = stamp;
    while let Some(end) = lines[at..].iter().position(|&byte| byte == b'\n') {
        at += end + 1;
        lines.extend_from_within(..stamp);
        lines[at..].rotate_right(stamp);
        at += stamp;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_record_has_the_time() {
        for (record, expected) in [
            ("one", "[12] one"),
            ("one\ntwo\n\nthree", "[12] one\n[12] two\n[12] \n[12] three"),
            ("", "[12] "),
            ("one\n", "[12] one\n[12] "),
        ] {
            let mut lines = format!("[12] {record}").into_bytes();
            stamp_others(&mut lines, 5);
            assert_eq!(String::from_utf8_lossy(&lines), expected);
        }
    }
}
