//! What a client says on standard error, and what `-v` adds.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::process;

use log::debug;
use nix::poll::PollFlags;

use crate::exit;
use crate::output::stdout::has_room;
use crate::probe::interrupt;

/// Logs `line`, for `-v`.
pub fn say(line: fmt::Arguments<'_>) {
    debug!("{line}");
}

/// Waits until standard error takes a line. If a signal comes meanwhile, it ends the process:
/// whoever interrupts a client that is stuck wants its end.
pub fn wait_for_room() {
    let stderr = io::stderr();
    if has_room(stderr.as_fd()) {
        return;
    }
    if let Err(failure) = interrupt::wait(stderr.as_fd(), PollFlags::POLLOUT, None) {
        process::exit(failure.signal().map_or(0, exit::end_by).into());
    }
}
