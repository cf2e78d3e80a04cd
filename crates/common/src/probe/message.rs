//! The message that a client sends: `--message` and `--size`.

use std::time::Instant;

use crate::exit::Failure;
use crate::options::Text;
use crate::probe::input::{Input, More};
use crate::probe::persistence::Persistence;
use crate::probe::verbose;

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

/// What a message is padded with: visible, so that whoever looks at the wire or at the server's
/// transcript sees what it is.
const FILLER: u8 = b'.';

/// Pads `message` to `size` bytes, if that is asked for. Returns how many bytes were added.
///
/// # Errors
/// The message is longer than `size`.
pub fn pad(message: &mut Vec<u8>, size: Option<u64>) -> Result<u64, Failure> {
    let (len, Some(size)) = (message.len(), size) else {
        return Ok(0);
    };
    let Some(padding) = size.checked_sub(len as u64) else {
        let reason = format!("less than the message's own {len} bytes");
        return Err(Failure::usage(format_args!("--size {size}"), reason));
    };
    verbose::say(format_args!("[*] Message: {len} bytes, padded to {size}"));
    message.resize(len + usize::try_from(padding).unwrap_or_default(), FILLER);
    Ok(padding)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_padded_with_dots_and_never_cut() {
        let padded = |size| {
            let mut message = b"hello".to_vec();
            let padding = pad(&mut message, size).map_err(|failure| failure.to_string())?;
            Ok::<_, String>((String::from_utf8_lossy(&message).into_owned(), padding))
        };
        assert_eq!(padded(None), Ok(("hello".to_owned(), 0)));
        assert_eq!(padded(Some(5)), Ok(("hello".to_owned(), 0)));
        assert_eq!(padded(Some(8)), Ok(("hello...".to_owned(), 3)));
        assert_eq!(
            padded(Some(4)),
            Err("--size 4: less than the message's own 5 bytes".to_owned())
        );
    }
}
