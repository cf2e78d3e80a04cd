//! The tutorial's loop: a prompt, a line, a datagram, a reply.

use std::io::{self, BufRead, IsTerminal, Write};

use common::exit::{Failure, reason};
use common::probe::destination::Destination;
use common::probe::report::Reporter;
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
/// the next line is read.
pub fn run(
    prober: &mut Prober<'_>,
    mut destination: Destination,
    reporter: &Reporter,
    say: impl Fn(&Failure),
) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let is_shown = io::stdin().is_terminal() && reporter.level() >= LevelFilter::Info;
    let mut failed = None;
    loop {
        show("> ", is_shown);
        let line = read_line(&mut input, MAX_DATAGRAM)
            .map_err(|error| Failure::local("standard input", reason(&error)))?;
        let result = match line {
            Line::Text(line) if line.is_empty() => break,
            Line::Text(line) => {
                let ended = prober.exchange(&destination, &line, None)?;
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
                break;
            }
        };
        if let Err(failure) = result {
            if failure.is_unread() {
                return Err(failure);
            }
            say(&failure);
            failed = Some(failure);
        }
    }
    failed.map_or(Ok(()), |failure| Err(failure.said()))
}

/// Shows the prompt on standard error, as Python does on a terminal: standard output is for
/// replies alone.
fn show(text: &str, is_shown: bool) {
    if is_shown {
        // If the terminal is gone, nobody is watching.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Reads up to the next line feed, or the end of the input. A carriage return before the
/// line feed is part of the line's end, as in Python; other bytes stay as they are. At most
/// `limit` bytes are kept.
pub fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    // One byte more than fits may be a carriage return.
    let keep = limit + 1;
    let mut line = Vec::new();
    let mut len = 0;
    let ended = loop {
        let available = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            available => available?,
        };
        if available.is_empty() {
            break false;
        }
        let end = available.iter().position(|&byte| byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        len += piece.len() as u64;
        line.extend_from_slice(&piece[..piece.len().min(keep - line.len())]);
        let used = piece.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            break true;
        }
    };
    if !ended && len == 0 {
        return Ok(Line::End);
    }
    if ended && len <= keep as u64 && line.last() == Some(&b'\r') {
        line.pop();
        len -= 1;
    }
    Ok(if len <= limit as u64 { Line::Text(line) } else { Line::TooLong(len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        // The buffer has three bytes, so that its end is reached at many places of a line.
        let mut input = io::BufReader::with_capacity(3, input);
        let mut lines = Vec::new();
        loop {
            match read_line(&mut input, 5).unwrap() {
                Line::End => return lines,
                line => lines.push(line),
            }
        }
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
