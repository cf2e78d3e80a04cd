//! SIGINT, SIGTERM and SIGHUP as something that can be waited for: signalfd(2). So they end a
//! client also where they have no default action: if it is the first process of a container
//! (pid_namespaces(7)), or if SIGINT was ignored when it was started.
//!
//! From [`listen`] on, every wait of a client is for these signals, too: either here, or in its
//! loop. Whoever waits decides what a signal ends. In a server a signal has to wake several
//! loops, and a thread does that: `shutdown` in the server wing.
//!
//! A run is also asked by SIGQUIT (Ctrl-\) for its figures so far, as ping(8) is. Without a run, and
//! before it begins, SIGQUIT has its default action.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::Error as Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::exit::Failure;
use crate::signals::add_not_ignored;

/// The signals that have come. Without a value they have their default action.
static PENDING: OnceLock<Pending> = OnceLock::new();

struct Pending {
    /// The signals that are waited for.
    signals: SigSet,
    came: SignalFd,
    /// Whether a run has begun, which SIGQUIT does not end.
    has_run: AtomicBool,
    /// Whether SIGQUIT came when the loop was not there to take it.
    is_asked: AtomicBool,
}

/// The signals that are waited for, also SIGQUIT if there will be a run. A SIGHUP that was ignored
/// when the process was started stays ignored (nohup(1)), but would be waited for if it were blocked:
/// so it must be known not to be. So must SIGQUIT.
fn signals(for_run: bool) -> SigSet {
    let all = [Signal::SIGHUP, Signal::SIGQUIT];
    let mut signals = SigSet::from(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    add_not_ignored(&mut signals, if for_run { &all } else { &all[..1] });
    signals
}

/// Makes the signals wait to be taken.
///
/// # Errors
/// The system does not allow that. Then they have their default action.
pub fn listen(for_run: bool) -> nix::Result<()> {
    let (signals, flags) = (signals(for_run), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC);
    let came = signals.thread_block().and_then(|()| SignalFd::with_flags(&signals, flags));
    match came {
        Ok(came) => {
            let (has_run, is_asked) = (AtomicBool::new(false), AtomicBool::new(false));
            // Nobody else has set it.
            let _ = PENDING.set(Pending { signals, came, has_run, is_asked });
            Ok(())
        }
        Err(error) => {
            let _ = signals.thread_unblock();
            Err(error)
        }
    }
}

/// Makes the signals wake the loop of `registry` with `token`.
pub(crate) fn register(registry: &Registry, token: Token) -> std::io::Result<()> {
    PENDING.get().map_or(Ok(()), |pending| {
        let fd = pending.came.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)
    })
}

/// Notes that a run has begun, which SIGQUIT asks for its figures.
pub(crate) fn begin_run() {
    PENDING.get().iter().for_each(|pending| pending.has_run.store(true, Ordering::Relaxed));
}

/// Takes the signal that has come, if one has.
pub(crate) fn take() -> Option<Signal> {
    let pending = PENDING.get()?;
    let read = || {
        let came = pending.came.read_signal().ok()??;
        i32::try_from(came.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok())
    };
    let signal = read()?;
    // The loop is not woken again for what is left. A signal that ends the run has its summary.
    Some(if signal == Signal::SIGQUIT { read().unwrap_or(signal) } else { signal })
}

/// Takes the SIGQUIT that came while something else than the loop waited.
pub(crate) fn postponed() -> Option<Signal> {
    let is_asked = &PENDING.get()?.is_asked;
    // Most often there is none.
    let has_come = is_asked.load(Ordering::Relaxed) && is_asked.swap(false, Ordering::Relaxed);
    has_come.then_some(Signal::SIGQUIT)
}

/// Leaves `signal` to the loop, if it is none that ends the run. Returns whether it does.
fn postpone(signal: Signal) -> bool {
    let may_wait = |pending: &&Pending| pending.has_run.load(Ordering::Relaxed);
    let pending = PENDING.get().filter(may_wait).filter(|_| signal == Signal::SIGQUIT);
    pending.iter().for_each(|pending| pending.is_asked.store(true, Ordering::Relaxed));
    pending.is_some()
}

/// Calls `act`, which may take long and cannot be woken. Meanwhile a signal has its default
/// action.
pub(crate) fn interruptible<T>(act: impl FnOnce() -> T) -> T {
    let Some(Pending { signals, .. }) = PENDING.get() else {
        return act();
    };
    // These calls do not fail for these signals.
    let _ = signals.thread_unblock();
    let done = act();
    let _ = signals.thread_block();
    done
}

/// Waits until `fd` is ready for one of `events`, and until `until` at the latest. Returns
/// whether it is ready. A call may then still say that it would block, if somebody else was faster.
///
/// # Errors
/// A signal has come, which ends the client.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    until: Option<Instant>,
) -> Result<bool, Failure> {
    let awaited = PollFd::new(fd, events);
    let mut both = vec![awaited];
    both.extend(PENDING.get().map(|pending| PollFd::new(pending.came.as_fd(), PollFlags::POLLIN)));
    loop {
        let polled = poll(&mut both, timeout(until));
        if let Some(signal) = take().filter(|signal| !postpone(*signal)) {
            return Err(Failure::by_signal(signal));
        }
        match polled {
            // Ctrl-Z and fg interrupt the call.
            Err(Errno::EINTR) => {}
            // A system that refuses to wait here has the call itself wait.
            Err(_) => return Ok(true),
            Ok(_) if both[0].any() != Some(false) => return Ok(true),
            Ok(_) => {}
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Ok(false);
        }
    }
}

/// The time until `until` in whole milliseconds, and not less.
fn timeout(until: Option<Instant>) -> PollTimeout {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let millis = left.map(|left| (left + Duration::from_nanos(999_999)).as_millis());
    millis.map_or(PollTimeout::NONE, |ms| PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX))
}
