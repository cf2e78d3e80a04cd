//! The tutorial's loop: a prompt, a line, a datagram, a reply.

use std::io::{self, IsTerminal, Write};

use common::exit::Failure;
use common::probe::destination::Destination;
use common::probe::input::{Input, More};
use common::probe::report::Reporter;
use common::probe::verbose;
use common::protocol::MAX_DATAGRAM;
use log::LevelFilter;

use crate::prober::Prober;

/// A line of input, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Text(Vec<u8>),
    /// The line had this many bytes, too many for a datagram. They were read and dropped.
    TooLong(u64),
    /// The input has ended.
    End,
}

/// Sends each line of standard input as a datagram and prints the reply, until an empty
/// line or the end of the input. A line that gets no reply is reported through `say`, and
/// the next line is read. Without a line, nobody is reached: only somebody at a terminal knows
/// that.
pub fn run(
    prober: &mut Prober<'_>,
    mut destination: Destination,
    reporter: &Reporter,
    say: impl Fn(&Failure),
) -> Result<(), Failure> {
    let mut input = Input::new(None);
    let is_typed = io::stdin().is_terminal();
    let is_shown = is_typed && reporter.level() >= LevelFilter::Info;
    let (mut lines, mut failed) = (0_u64, None);
    let end = loop {
        show("> ", is_shown);
        let line = read_line(&mut input, MAX_DATAGRAM)?;
        lines += 1;
        let result = match line {
            Line::Text(line) if line.is_empty() => break EMPTY,
            Line::Text(line) => {
                let ended = prober.exchange(&destination, &line, None, reporter.wanted())?;
                if let Some(address) = ended.last.address.filter(|_| ended.last.is_answered()) {
                    destination = destination.narrowed(address);
                }
                reporter.exchange(&ended)
            }
            Line::TooLong(len) => Err(Failure::outcome(
                "a line",
                format!("{len} bytes are more than a datagram holds ({MAX_DATAGRAM})"),
            )),
            Line::End => {
                show("\n", is_shown);
                break NONE;
            }
        };
        if let Err(failure) = result {
            // Nothing more can be printed; or a signal has come while a reader was waited for.
            if failure.is_unread() || failure.signal().is_some() {
                return Err(failure);
            }
            say(&failure);
            failed = Some(failure);
        }
    };
    if lines == 1 && !is_typed {
        let reason = format!("nothing to send: {end} (--message sends without one)");
        return Err(Failure::local("standard input", reason));
    }
    failed.map_or(Ok(()), |failure| Err(failure.said()))
}

/// Why nothing is sent, which as a success would be a false proof: with `</dev/null`, as under
/// cron(8), there is no line.
const NONE: &str = "no line came";
const EMPTY: &str = "the first line is empty";

/// Shows the prompt on standard error, as Python does on a terminal: standard output is for
/// replies alone.
fn show(text: &str, is_shown: bool) {
    if is_shown {
        verbose::wait_for_room();
        // If the terminal is gone, nobody is watching.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Reads up to the next line feed, or the end of the input. At most `limit` bytes are kept.
pub fn read_line(input: &mut Input, limit: usize) -> Result<Line, Failure> {
    let mut begun = Begun::new(limit);
    loop {
        // Without a deadline, there is no time that is up.
        let More::Bytes(available) = input.more()? else {
            return Ok(begun.end());
        };
        let (used, is_whole) = begun.take(available);
        input.consume(used);
        if is_whole {
            return Ok(begun.line());
        }
    }
}

/// A line that has begun. A carriage return before the line feed is part of the line's end, as in
/// Python; other bytes stay as they are.
#[derive(Debug)]
struct Begun {
    limit: usize,
    /// One byte more than fits, which may be a carriage return.
    kept: Vec<u8>,
    len: u64,
}

impl Begun {
    fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), len: 0 }
    }

    /// Takes what belongs to the line of the bytes that are `available`. Returns how many those
    /// are, and whether the line is whole.
    fn take(&mut self, available: &[u8]) -> (usize, bool) {
        let end = available.iter().position(|&byte| byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        self.len += piece.len() as u64;
        let room = self.limit + 1 - self.kept.len();
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        (piece.len() + usize::from(end.is_some()), end.is_some())
    }

    /// The line, which a line feed has ended.
    fn line(mut self) -> Line {
        if self.len <= self.limit as u64 + 1 && self.kept.last() == Some(&b'\r') {
            self.kept.pop();
            self.len -= 1;
        }
        self.text()
    }

    /// The line, which the end of the input has ended.
    fn end(self) -> Line {
        if self.len == 0 { Line::End } else { self.text() }
    }

    fn text(self) -> Line {
        if self.len <= self.limit as u64 { Line::Text(self.kept) } else { Line::TooLong(self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        let (mut lines, mut begun) = (Vec::new(), Begun::new(5));
        // The bytes come three at once, so that they end at many places of a line.
        for mut piece in input.chunks(3) {
            while !piece.is_empty() {
                let (used, is_whole) = begun.take(piece);
                piece = &piece[used..];
                if is_whole {
                    lines.push(std::mem::replace(&mut begun, Begun::new(5)).line());
                }
            }
        }
        lines.extend(Some(begun.end()).filter(|line| *line != Line::End));
        lines
    }

    fn text(line: &[u8]) -> Line {
        Line::Text(line.to_vec())
    }

    #[test]
    fn lines_end_with_a_line_feed_or_the_end_of_the_input() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a"), [text(b"a")]);
        assert_eq!(lines(b"a\n"), [text(b"a")]);
        assert_eq!(lines(b"\n\nb"), [text(b""), text(b""), text(b"b")]);
        assert_eq!(lines("中\nb".as_bytes()), [text("中".as_bytes()), text(b"b")]);
    }

    #[test]
    fn a_carriage_return_is_dropped_only_before_a_line_feed() {
        assert_eq!(lines(b"abcde\r\n"), [text(b"abcde")]);
        assert_eq!(lines(b"a\rb\n\r\n\r"), [text(b"a\rb"), text(b""), text(b"\r")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        assert_eq!(lines(b"abcdef\nok"), [Line::TooLong(6), text(b"ok")]);
        assert_eq!(lines(b"abcdefgh\r\nok\n"), [Line::TooLong(9), text(b"ok")]);
        assert_eq!(lines(b"abcdef"), [Line::TooLong(6)]);
    }
}
