//! How a server is stopped in order: by SIGINT, SIGTERM or SIGHUP, by its goal, or by
//! a broken pipe.
//!
//! A request sets a flag and wakes the event loops. They stop listening, finish what
//! is under way and return. A second signal, unless it comes with the first one, ends the
//! process at once. The ctrlc crate waits for signals on a thread of its own, so nothing
//! here runs inside a signal handler.

use std::io;
use std::process;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mio::Waker;
use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Failure, reason};
use crate::server::goal::Goal;
use crate::server::notify;
use crate::signals;

/// Signals that come within this time of the first one are the same request: timeout(1)
/// signals its child and then its own group, in which the child is, and at a hangup both
/// the terminal and the shell may send a signal. Nobody presses a key twice on purpose in
/// this time.
const SAME_REQUEST: Duration = Duration::from_millis(200);

/// A request to stop, shared by those who make it and the event loops that obey it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    requested: OnceLock<Cause>,
    /// What wakes the event loops, once there are any.
    wakers: OnceLock<Vec<Waker>>,
}

/// Why a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGINT, SIGTERM or SIGHUP.
    Signal,
    /// `--count` is reached, or nobody came for `--idle-exit`.
    Goal,
    /// Standard output is a pipe or a connection whose reader has gone for good.
    NoReader,
    /// An event loop failed.
    Failure,
}

impl Shutdown {
    /// Makes signals request a stop. Until there are event loops ([`Shutdown::set_wakers`]), a
    /// signal ends the process at once: to resolve a name may take long.
    ///
    /// If SIGHUP was ignored when the process started (`nohup`), it stays ignored. SIGINT
    /// does not: a shell starts its background jobs with it ignored, and `kill -INT` of one
    /// is to stop the server.
    ///
    /// # Errors
    /// The system refuses the signal handler, or the thread that waits for signals.
    pub fn on_signals() -> Result<Self, Failure> {
        let shared = Shared { requested: OnceLock::new(), wakers: OnceLock::new() };
        let shutdown = Self { shared: Arc::new(shared) };
        let on_signal = || {
            let shutdown = shutdown.clone();
            let mut stopping_since = None;
            move || {
                // `requested` does not answer this: it may be set by a broken pipe, which
                // is no first signal.
                if stopping_since.is_some_and(|since| is_impatient(since, Instant::now())) {
                    process::exit(0);
                }
                shutdown.request(Cause::Signal);
                if shutdown.shared.wakers.get().is_none() {
                    process::exit(0);
                }
                stopping_since.get_or_insert_with(Instant::now);
            }
        };
        // A signal that comes meanwhile waits: a handler that is only tried would lose it.
        let held = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect::<SigSet>();
        let _: nix::Result<()> = held.thread_block();
        // This fails if one of the three signals was ignored, and does not say which. To ask first
        // would cost each start a look into /proc.
        let installed = match ctrlc::try_set_handler(on_signal()) {
            Err(ctrlc::Error::MultipleHandlers) => match signals::is_ignored(Signal::SIGHUP) {
                Some(false) => ctrlc::set_handler(on_signal()),
                // Without /proc, a hangup that should have stopped the server is the lesser harm.
                Some(true) | None => with_hangup_ignored(on_signal()),
            },
            installed => installed,
        };
        let _: nix::Result<()> = held.thread_unblock();
        installed.map_err(|error| Failure::local("signals", words(error)))?;
        Ok(shutdown)
    }

    /// Sets what wakes the event loops. They are woken at once if a stop has been requested.
    pub fn set_wakers(&self, wakers: Vec<Waker>) {
        // They are set once.
        let _ = self.shared.wakers.set(wakers);
        if self.is_requested() {
            self.wake();
        }
    }

    /// Requests a stop, for this `cause`. The first request notifies the service manager and then wakes the
    /// event loops; further requests do nothing.
    pub fn request(&self, cause: Cause) {
        let mut is_first = false;
        // A loop that has seen the request may end the program before the manager is notified.
        self.shared.requested.get_or_init(|| {
            notify::stopping();
            is_first = true;
            cause
        });
        if is_first {
            self.wake();
        }
    }

    /// What the transcript calls when its reader has gone for good.
    pub fn on_broken_pipe(&self) -> impl Fn() + Send + use<> {
        let shutdown = self.clone();
        move || shutdown.request(Cause::NoReader)
    }

    fn wake(&self) {
        for waker in self.shared.wakers.get().into_iter().flatten() {
            // If a loop cannot be woken, it is awake or has ended.
            let _: io::Result<()> = waker.wake();
        }
    }

    /// Requests a stop if `goal` is reached or missed.
    pub fn request_when_over(&self, goal: &Goal) {
        if !self.is_requested() && goal.is_over() {
            self.request(Cause::Goal);
        }
    }

    /// Whether a run with this `goal` was a success when it stopped. A goal that was missed
    /// while a signal was already stopping the run is no failure.
    ///
    /// # Errors
    /// It was not.
    pub fn check(&self, goal: &Goal) -> Result<(), Failure> {
        match self.cause() {
            Some(Cause::NoReader) => goal.check_unread(),
            Some(Cause::Goal) => goal.check(),
            Some(Cause::Signal | Cause::Failure) | None => Ok(()),
        }
    }

    /// Whether a stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.cause().is_some()
    }

    /// Why a stop has been requested, if one has.
    fn cause(&self) -> Option<Cause> {
        self.shared.requested.get().copied()
    }
}

/// Whether another signal at `now`, after a first one, is to end the server at once.
fn is_impatient(stopping_since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(stopping_since) >= SAME_REQUEST
}

/// Makes signals call `on_signal`, but for SIGHUP: ctrlc would handle that although it was
/// ignored. A signal that is blocked in every thread never reaches its handler, and threads
/// inherit this mask.
fn with_hangup_ignored(on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    // Without this call a hangup stops the server, in order.
    let _: nix::Result<()> = SigSet::from(Signal::SIGHUP).thread_block();
    ctrlc::set_handler(on_signal)
}

/// Why there is no handler: the system's reason, where it has one.
fn words(error: ctrlc::Error) -> String {
    match error {
        ctrlc::Error::System(error) => reason(&error),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::goal::Asked;

    #[test]
    fn a_goal_that_is_missed_after_a_signal_is_no_failure() {
        let asked = Asked { idle_exit: Some(Duration::from_secs(1)), ..Asked::default() };
        let begun = Instant::now();
        for (signal_first, is_success) in [(true, true), (false, false)] {
            let goal = Goal::new(asked.clone(), 1, begun);
            let shared = Shared { requested: OnceLock::new(), wakers: OnceLock::new() };
            let shutdown = Shutdown { shared: Arc::new(shared) };
            if signal_first {
                shutdown.request(Cause::Signal);
            }
            goal.note_noticed(0, begun + Duration::from_secs(1));
            // An event loop may have seen no request before it asks this.
            assert!(goal.is_over());
            shutdown.request(Cause::Goal);
            assert_eq!(shutdown.check(&goal).is_ok(), is_success);
        }
    }
}
