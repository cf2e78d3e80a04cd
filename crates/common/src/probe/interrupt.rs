//! Ctrl-C and SIGTERM as an event of a client's loop: signalfd(2). The first signal ends
//! the run in order, the next one ends the process.
//!
//! In a server a signal has to wake several loops, and a thread does that: `shutdown` in
//! the server wing.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::exit::Failure;

/// Signals that are events of a loop.
#[derive(Debug)]
pub struct Interrupt {
    pending: SignalFd,
}

/// Whether signals are events now, and do not end the process.
static IS_CAUGHT: AtomicBool = AtomicBool::new(false);

fn signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM].into_iter().collect()
}

/// Calls `act`, which may never return. Meanwhile a signal ends the process as usual.
pub(crate) fn interruptible<T>(act: impl FnOnce() -> T) -> T {
    if !IS_CAUGHT.load(Ordering::Relaxed) {
        return act();
    }
    // These calls do not fail for these signals.
    let _ = signals().thread_unblock();
    let done = act();
    let _ = signals().thread_block();
    done
}

impl Interrupt {
    /// Makes a signal wake the loop of `registry` with `token` from now on. SIGHUP still
    /// ends the process: a terminal that hangs up leaves nobody to report to.
    ///
    /// # Errors
    /// The system's.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        signals().thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let pending = SignalFd::with_flags(&signals(), flags)?;
        let fd = pending.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        IS_CAUGHT.store(true, Ordering::Relaxed);
        Ok(Self { pending })
    }

    /// The signal that has come, if one has. If so, the next one ends the process as usual.
    pub fn signal(&mut self) -> Option<Signal> {
        let Ok(Some(came)) = self.pending.read_signal() else {
            return None;
        };
        release();
        Some(if came.ssi_signo == Signal::SIGTERM as u32 {
            Signal::SIGTERM
        } else {
            Signal::SIGINT
        })
    }
}

/// Makes signals end the process again.
fn release() {
    // If unblocking failed, the next signal would be an event too.
    let _ = signals().thread_unblock();
    IS_CAUGHT.store(false, Ordering::Relaxed);
}

/// Ends the process by `signal`, as if it had never been caught: a shell then ends its script,
/// too. Returns `failure` if the process ignores the signal.
pub(crate) fn end_by(signal: Signal, failure: Failure) -> Failure {
    release();
    let _ = raise(signal);
    failure
}
