//! The tutorial's loop: a prompt, a line, a datagram, a reply.

use std::io::{self, BufRead, IsTerminal, Write};

use common::exit::{self, Failure, reason};
use common::probe::report::Reporter;
use common::probe::target::Target;
use common::protocol::MAX_DATAGRAM;
use log::LevelFilter;

use crate::PROGRAM;
use crate::prober::Prober;

/// A line of input, without what ends it.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Text(Vec<u8>),
    /// It had so many bytes, too many for a datagram. They are read and gone.
    TooLong(u64),
    /// The input has ended.
    End,
}

/// Exchanges every line of standard input, until an empty one or its end. A
/// line that gets no answer is told of, and the next one is read.
pub fn run(prober: &mut Prober, target: &Target, reporter: &Reporter) -> Result<(), Failure> {
    let Some(destination) = reporter.destination(target.resolve(None)?)? else {
        return Ok(());
    };
    let mut input = io::stdin().lock();
    // To standard error, as Python's own prompt: what is printed to standard
    // output is replies alone.
    let prompts = io::stdin().is_terminal() && reporter.level() >= LevelFilter::Info;
    let show = |text: &str| {
        if prompts {
            // Without a terminal there is nobody to prompt.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    };
    let mut failed = None;
    loop {
        show("> ");
        let line = read_line(&mut input, MAX_DATAGRAM)
            .map_err(|error| Failure::local("standard input", reason(&error)))?;
        let outcome = match line {
            Line::Text(line) if line.is_empty() => break,
            Line::Text(line) => {
                let mut outcomes = prober.exchange(&destination, &line, None)?;
                reporter.judge(&mut outcomes.last);
                reporter.tell(&outcomes)
            }
            Line::TooLong(len) => Err(Failure::outcome(
                "a line",
                format!("{len} bytes are more than a datagram holds ({MAX_DATAGRAM})"),
            )),
            Line::End => {
                show("\n");
                break;
            }
        };
        if let Err(failure) = outcome {
            if failure.is_unread() {
                return Err(failure);
            }
            exit::say(PROGRAM, reporter.output(), &failure);
            failed = Some(failure);
        }
    }
    failed.map_or(Ok(()), |failure| Err(failure.said()))
}

/// Reads to the next line feed, or the end of the input. A carriage return
/// before the line feed goes with it, as in Python; other bytes stay as they
/// are. No more than `limit` bytes are kept.
fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Line> {
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
        // A buffer of three bytes, to meet its borders everywhere.
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
    fn a_carriage_return_goes_only_with_its_line_feed() {
        assert_eq!(lines(b"abcde\r\n"), [text(b"abcde")]);
        assert_eq!(lines(b"a\rb\n\r\n\r"), [text(b"a\rb"), text(b""), text(b"\r")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        assert_eq!(lines(b"abcdef\nok"), [Line::TooLong(6), text(b"ok")]);
        assert_eq!(lines(b"abcdefgh\r\nok\n"), [Line::TooLong(9), text(b"ok")]);
        assert_eq!(lines(b"abcdef"), [Line::TooLong(6)]);
    }
}
