//! Ctrl-C and SIGTERM as an event of a client's loop: signalfd(2). The first one
//! ends what is measured in order; the next one the process.
//!
//! (A server's signals wake several loops, and have a thread for it: `shutdown`.)

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that are an event rather than an end.
#[derive(Debug)]
pub struct Interrupt {
    pending: SignalFd,
}

/// Whether signals are events at present.
static IS_CAUGHT: AtomicBool = AtomicBool::new(false);

fn signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM].into_iter().collect()
}

/// Does what may take for ever: meanwhile a signal has its usual effect.
pub(crate) fn mortal<T>(act: impl FnOnce() -> T) -> T {
    if !IS_CAUGHT.load(Ordering::Relaxed) {
        return act();
    }
    // Nothing to be done where it fails: it cannot, for these signals.
    let _ = signals().thread_unblock();
    let done = act();
    let _ = signals().thread_block();
    done
}

impl Interrupt {
    /// From now on the loop of `registry` is woken with `token` by a signal. (A
    /// terminal that hangs up leaves nobody to tell: SIGHUP ends the process.)
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

    /// Whether a signal has come; the next one has its usual effect.
    pub fn is_requested(&mut self) -> bool {
        if !matches!(self.pending.read_signal(), Ok(Some(_))) {
            return false;
        }
        // Nothing to be done where it fails: the next one is an event, too.
        let _ = signals().thread_unblock();
        IS_CAUGHT.store(false, Ordering::Relaxed);
        true
    }
}
