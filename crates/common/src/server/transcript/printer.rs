//! Printing lines to an output that may be full, and saying which are missing.

use std::io::{self, Write};

/// The writer's end: what was written, and what was not.
pub(crate) struct Printer<W, N> {
    out: W,
    /// Words the line that says how many lines are missing.
    notice: N,
    /// Lines that are missing, and were not yet told of.
    missing: u64,
    /// Whether the last byte written was not a line's end.
    is_mid_line: bool,
}

impl<W: Write, N: Fn(u64) -> String> Printer<W, N> {
    /// Prints to `out`.
    pub(crate) fn new(out: W, notice: N) -> Self {
        Self { out, notice, missing: 0, is_mid_line: false }
    }

    /// Prints `lines`, after which `dropped` ones are missing. What is missing
    /// from before is told first.
    pub(crate) fn print(&mut self, lines: &[u8], dropped: u64) -> io::Result<()> {
        let (written, outcome) = match self.tell_missing() {
            Ok(()) => self.write(lines),
            Err(error) => (0, Err(error)),
        };
        self.missing += count_lines(&lines[written..]) + dropped;
        outcome.and_then(|()| self.tell_missing())
    }

    /// Says how many lines are missing, on a line of its own.
    fn tell_missing(&mut self) -> io::Result<()> {
        if self.missing == 0 {
            return Ok(());
        }
        let newline = if self.is_mid_line { "\n" } else { "" };
        let text = format!("{newline}{}", (self.notice)(self.missing));
        self.write(text.as_bytes()).1?;
        self.missing = 0;
        Ok(())
    }

    /// Writes `bytes`; says how many of them went out before an error.
    fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        while written < bytes.len() {
            match self.out.write(&bytes[written..]) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(more) => {
                    written += more;
                    self.is_mid_line = bytes[written - 1] != b'\n';
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }
}

/// How many lines end in `record`.
pub(crate) fn count_lines(record: &[u8]) -> u64 {
    record.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_counts_and_what_follows_begins_afresh() {
        /// Takes so many bytes, and then no more until it is emptied.
        struct Disk(Vec<u8>, usize);
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let room = self.1 - self.0.len();
                let len = bytes.len().min(room);
                self.0.extend_from_slice(&bytes[..len]);
                if len > 0 { Ok(len) } else { Err(io::ErrorKind::StorageFull.into()) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let notice = |lines| format!("{lines} missing\n");
        let out = Disk(Vec::new(), 6);
        let mut printer = Printer::new(out, notice);
        printer.print(b"one\ntwo\nthree\n", 0).unwrap_err();
        printer.print(b"four\n", 2).unwrap_err();
        printer.out.1 = 100;
        printer.print(b"five\n", 1).unwrap();
        assert_eq!(printer.out.0, b"one\ntw\n5 missing\nfive\n1 missing\n");
    }
}
