//! Prints lines to an output that may be full, and how many are missing.

use std::io::{self, Write};

/// Prints lines, and remembers how many could not be printed.
pub(crate) struct Printer<W, N> {
    out: W,
    /// Makes the line that says how many lines are missing.
    notice: N,
    /// Lines that are missing and not yet reported.
    missing: u64,
    /// Whether the last line written is incomplete.
    is_mid_line: bool,
}

impl<W: Write, N: Fn(u64) -> String> Printer<W, N> {
    /// A printer to `out`.
    pub(crate) fn new(out: W, notice: N) -> Self {
        Self { out, notice, missing: 0, is_mid_line: false }
    }

    /// Prints `lines`, after which `dropped` lines are missing. Lines that were already
    /// missing are reported first.
    pub(crate) fn print(&mut self, lines: &[u8], dropped: u64) -> io::Result<()> {
        let (written, outcome) = match self.report_missing() {
            Ok(()) => self.write(lines),
            Err(error) => (0, Err(error)),
        };
        self.missing += count_lines(&lines[written..]) + dropped;
        outcome.and_then(|()| self.report_missing())
    }

    /// Whether lines are missing, and that is not yet printed.
    pub(crate) fn is_behind(&self) -> bool {
        self.missing > 0
    }

    /// Prints how many lines are missing, on a line of its own.
    fn report_missing(&mut self) -> io::Result<()> {
        if self.missing == 0 {
            return Ok(());
        }
        let newline = if self.is_mid_line { "\n" } else { "" };
        let text = format!("{newline}{}", (self.notice)(self.missing));
        self.write(text.as_bytes()).1?;
        self.missing = 0;
        Ok(())
    }

    /// Writes `bytes`. Returns how many were written, and the error if not all.
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

/// The number of lines that end in `record`.
pub(crate) fn count_lines(record: &[u8]) -> u64 {
    record.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_counts_and_what_follows_begins_afresh() {
        /// Takes as many bytes in all as the number says, and then is full.
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
