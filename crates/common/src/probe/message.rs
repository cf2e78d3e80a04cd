//! The message that a client sends.

use std::time::Instant;

use crate::exit::Failure;
use crate::options::Text;
use crate::probe::input::{Input, More};
use crate::probe::persistence::Persistence;

/// The bytes that `--message` asks to send: the option's value, or all of standard input, which
/// has to have ended by `end`, if the value is `-`.
///
/// # Errors
/// Standard input cannot be read, or not in time; a signal has come; or there are more than
/// `limit` bytes.
pub fn given(
    text: Text,
    limit: usize,
    persistence: &Persistence,
    end: Option<Instant>,
) -> Result<Vec<u8>, Failure> {
    let (name, bytes) = if text.0 == b"-" {
        (STANDARD_INPUT, all(limit, end)?.ok_or_else(|| unfinished(persistence))?)
    } else {
        ("--message", text.0)
    };
    if bytes.len() > limit {
        return Err(Failure::usage(name, format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}

const STANDARD_INPUT: &str = "standard input";

/// All of standard input, or as much of it as shows that there are more than `limit` bytes. None
/// if it has not ended at `end`.
fn all(limit: usize, end: Option<Instant>) -> Result<Option<Vec<u8>>, Failure> {
    let (mut input, mut all) = (Input::new(end), Vec::new());
    while all.len() <= limit {
        match input.more()? {
            More::Bytes(bytes) => {
                all.extend_from_slice(bytes);
                let len = bytes.len();
                input.consume(len);
            }
            More::End => break,
            More::TimedOut => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// Standard input has not ended before the deadline: so nothing was sent, and it is not known what
/// would have come of it.
fn unfinished(persistence: &Persistence) -> Failure {
    let reason = "not read to its end before the deadline: nothing was sent";
    if persistence.waits() {
        Failure::deadline(STANDARD_INPUT, reason)
    } else {
        Failure::local(STANDARD_INPUT, reason)
    }
}
