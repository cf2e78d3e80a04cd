//! The way of a probe that was traced: in lines like those of traceroute(8).

use std::fmt::Write;

use crate::duration::Millis;
use crate::probe::trace::path::{End, Path};

/// `the way from 10.0.0.1:40000 to 10.1.9.2:6666`, and a line for each hop. Each of them begins with
/// `newline`. None follows.
pub(crate) fn lines(path: &Path, newline: &str) -> String {
    let other = if path.is_other_port { " (the probe's port could not be used again)" } else { "" };
    let mut lines = format!("the way from {} to {}{other}", path.local, path.address);
    for (at, hop) in path.hops.iter().enumerate() {
        let silent = if hop.is_silent { "*" } else { "?" };
        let router = hop.router.map_or_else(|| silent.to_owned(), |router| router.to_string());
        // Writing to a string does not fail.
        let _ = write!(lines, "{newline}{:3}  {router}", at + 1);
        if let Some(time) = hop.time {
            let _ = write!(lines, "  {} ms", Millis(time));
        }
    }
    if let (End::Stopped(error), false) = (&path.end, path.hops.is_empty()) {
        lines.push_str("  ");
        lines.push_str(&error.words());
    }
    lines
}
