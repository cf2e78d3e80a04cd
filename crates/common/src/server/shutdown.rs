//! SIGINT, SIGTERM and SIGHUP end a server in order.
//!
//! The first one asks: it sets a flag and wakes the event loops, which stop
//! listening, end what is under way and return. A second one ends the
//! process at once. The ctrlc crate waits for signals on a thread of its own,
//! so nothing of this runs inside a signal handler.

use std::io;
use std::mem;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;
use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Failure, reason};
use crate::server::notify;

/// A request to stop, shared by those who ask and the loops that obey.
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
    /// Has signals wake the loops that `wakers` belong to.
    ///
    /// Where SIGHUP is ignored from the start (`nohup`), it stays so.
    ///
    /// # Errors
    /// The system refuses the signal handler, or the thread that waits.
    pub fn on_signals(wakers: Vec<Waker>) -> Result<Self, Failure> {
        let shared = Arc::new(Shared { requested: AtomicBool::new(false), wakers });
        let shutdown = Self { shared };
        // ctrlc takes SIGHUP over whatever it was. A signal that is blocked
        // in every thread never reaches its handler; threads inherit the mask.
        if is_ignored(Signal::SIGHUP) {
            let mut hangup = SigSet::empty();
            hangup.add(Signal::SIGHUP);
            hangup.thread_block().map_err(|e| Failure::local("signals", reason(&e.into())))?;
        }
        let on_signal = shutdown.clone();
        let mut is_second = false;
        ctrlc::set_handler(move || {
            // Not asked of `requested`: a broken pipe is no first signal.
            if mem::replace(&mut is_second, true) {
                process::exit(0);
            }
            on_signal.request();
        })
        .map_err(|error| Failure::local("signals", error))?;
        Ok(shutdown)
    }

    /// Asks the loops to stop; the first time, the service manager is told.
    pub fn request(&self) {
        if self.shared.requested.swap(true, Ordering::AcqRel) {
            return;
        }
        for waker in &self.shared.wakers {
            // A loop is awake, or ended, where it cannot be woken.
            let _: io::Result<()> = waker.wake();
        }
        notify::stopping();
    }

    /// Whether the loops have been asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::Acquire)
    }
}

/// Whether `signal` was ignored when this process started, as far as the
/// system tells: proc(5), `SigIgn` in `/proc/self/status`.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal as u32 - 1)) != 0)
}
