//! The way of a probe that was traced: in lines like those of traceroute(8).

use std::fmt::Write;

use crate::duration::Millis;
use crate::probe::trace::path::{End, Path};

/// `the way from 10.0.0.1:40000 to 10.1.9.2:6666`, and a line for each hop. No newline follows.
pub(crate) fn lines(path: &Path) -> String {
    let mut lines = format!("the way from {} to {}", path.local, path.address);
    if path.is_other_port {
        lines += " (the probe's port could not be used again)";
    }
    for (at, hop) in path.hops.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(lines, "\n{:3}  ", at + 1);
        match hop.router {
            Some(router) => _ = write!(lines, "{router}"),
            None => lines.push(if hop.is_silent { '*' } else { '?' }),
        }
        if let Some(time) = hop.time {
            _ = write!(lines, "  {} ms", Millis(time));
        }
    }
    if let (End::Stopped(error), false) = (&path.end, path.hops.is_empty()) {
        _ = write!(lines, "  {}", error.words());
    }
    lines
}
