//! What a client sends, and what it prints of the answer.

use std::io::{self, IsTerminal, Read, Write};

use log::LevelFilter;

use crate::exit::{Failure, reason};
use crate::options::Text;
use crate::output::Output;
use crate::output::stdout::StandardOutput;
use crate::printable::message;
use crate::protocol::BUFFER_SIZE;

/// The bytes that `--message` asks to send: its own, or for `-` all of
/// standard input.
///
/// # Errors
/// Standard input cannot be read, or there are more than `limit` bytes.
pub fn given(text: Text, limit: usize) -> Result<Vec<u8>, Failure> {
    let (name, bytes) = if text.0 == b"-" {
        let mut bytes = Vec::new();
        // One byte more than fits tells that there is more.
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

/// Prints a reply and a newline to standard output: as it came where that is a
/// file or a pipe, safely where it is a terminal. Not at all under `--quiet`.
///
/// # Errors
/// Standard output takes no more.
pub fn print_reply(reply: &[u8], options: Output) -> Result<(), Failure> {
    if options.level() < LevelFilter::Info {
        return Ok(());
    }
    let mut line = options.stamp().to_string().into_bytes();
    if io::stdout().is_terminal() {
        line.extend_from_slice(message(reply, BUFFER_SIZE).to_string().as_bytes());
    } else {
        line.extend_from_slice(reply);
    }
    line.push(b'\n');
    let written = StandardOutput::open().and_then(|mut out| out.write_all(&line));
    written.map_err(|_| Failure::unread())
}
