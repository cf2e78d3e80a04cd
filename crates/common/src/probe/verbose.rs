//! What `-v` adds, on standard error.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

use log::{Level, debug, log_enabled};

use crate::output::stdout::has_room;
use crate::probe::interrupt::interruptible;

/// Logs `line`, for `-v`. While that waits for a reader, a signal ends the process.
pub fn say(line: fmt::Arguments<'_>) {
    if !log_enabled!(Level::Debug) {
        return;
    }
    if has_room(io::stderr().as_fd()) {
        debug!("{line}");
    } else {
        interruptible(|| debug!("{line}"));
    }
}
