//! How a server is stopped in order: by SIGINT, SIGTERM or SIGHUP, by its goal, or by
//! a broken pipe.
//!
//! A request sets a flag and wakes the event loops. They stop listening, finish what
//! is under way and return. A second signal ends the process at once. The ctrlc crate
//! waits for signals on a thread of its own, so nothing here runs inside a signal
//! handler.

use std::io;
use std::mem;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use mio::Waker;
use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Failure, reason};
use crate::server::goal::Goal;
use crate::server::notify;

/// A request to stop, shared by those who make it and the event loops that obey it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    requested: AtomicBool,
    wakers: Vec<Waker>,
}

impl Shutdown {
    /// Makes signals request a stop. `wakers` wake the event loops.
    ///
    /// If SIGHUP was ignored when the process started (`nohup`), it stays ignored.
    ///
    /// # Errors
    /// The system refuses the signal handler, or the thread that waits for signals.
    pub fn on_signals(wakers: Vec<Waker>) -> Result<Self, Failure> {
        let shared = Arc::new(Shared { requested: AtomicBool::new(false), wakers });
        let shutdown = Self { shared };
        // ctrlc handles SIGHUP even if it was ignored. A signal that is blocked in
        // every thread never reaches its handler, and threads inherit this mask.
        if is_ignored(Signal::SIGHUP) {
            let mut hangup = SigSet::empty();
            hangup.add(Signal::SIGHUP);
            hangup.thread_block().map_err(|e| Failure::local("signals", reason(&e.into())))?;
        }
        let on_signal = shutdown.clone();
        let mut is_second = false;
        ctrlc::set_handler(move || {
            // `requested` does not answer this: it may be set by a broken pipe, which
            // is no first signal.
            if mem::replace(&mut is_second, true) {
                process::exit(0);
            }
            on_signal.request();
        })
        .map_err(|error| Failure::local("signals", error))?;
        Ok(shutdown)
    }

    /// Requests a stop. The first request wakes the event loops and notifies the service
    /// manager; further requests do nothing.
    pub fn request(&self) {
        if self.shared.requested.swap(true, Ordering::AcqRel) {
            return;
        }
        for waker in &self.shared.wakers {
            // If a loop cannot be woken, it is awake or has ended.
            let _: io::Result<()> = waker.wake();
        }
        notify::stopping();
    }

    /// Requests a stop if `goal` is reached or missed, after this many `exchanges`.
    ///
    /// `noticed_until` is the instant up to which the calling loop has noticed whoever
    /// came, which is earlier than the current time. After a Ctrl-Z the clock may be past
    /// `--idle-exit`, although somebody came meanwhile and is about to be served.
    pub fn request_when_over(&self, goal: &Goal, exchanges: u64, noticed_until: Instant) {
        if !self.is_requested() && goal.is_over(exchanges, noticed_until) {
            self.request();
        }
    }

    /// Whether a stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::Acquire)
    }
}

/// Whether this process ignores `signal`, as far as the system says: `SigIgn` in
/// `/proc/self/status`, proc(5).
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal as u32 - 1)) != 0)
}
