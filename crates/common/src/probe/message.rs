//! The message that a client sends.

use std::io::{self, Read};

use crate::exit::{Failure, reason};
use crate::options::Text;

/// The bytes that `--message` asks to send: the option's value, or all of standard input
/// if the value is `-`.
///
/// # Errors
/// Standard input cannot be read, or there are more than `limit` bytes.
pub fn given(text: Text, limit: usize) -> Result<Vec<u8>, Failure> {
    let (name, bytes) = if text.0 == b"-" {
        let mut bytes = Vec::new();
        // One byte more than fits shows that there is more.
        let mut input = io::stdin().lock().take(limit as u64 + 1);
        input.read_to_end(&mut bytes).map_err(|e| Failure::local("standard input", reason(&e)))?;
        ("standard input", bytes)
    } else {
        ("--message", text.0)
    };
    if bytes.len() > limit {
        return Err(Failure::usage(name, format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}
