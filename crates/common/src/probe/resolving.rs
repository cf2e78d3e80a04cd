//! Resolves the names of a target on a thread of its own, because the system's resolver takes
//! no time limit and cannot be woken.

use std::io::{PipeReader, pipe};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use crate::descriptors;
use crate::exit::{Failure, reason};
use crate::probe::extras::{self, Extra};
use crate::probe::interrupt;
use crate::probe::target::{Resolved, Target};

/// A target that is being resolved.
#[derive(Debug)]
pub(crate) struct Resolving {
    result: Receiver<Result<Resolved, Failure>>,
    /// The end of a pipe that the thread closes when it has sent its result. Without it, the
    /// result has come already.
    done: Option<PipeReader>,
    /// How long it may take, and until when.
    limit: Duration,
    ends_at: Instant,
}

/// Resolves `target`, within its time, but not beyond `end`.
///
/// # Errors
/// A client cannot go to the target as it is written, or not from that source; or a signal has
/// come.
pub fn resolve(target: &Target, end: Option<Instant>) -> Result<Resolved, Failure> {
    let resolving = Resolving::start(target, end)?;
    let resolved = resolving.resolved(resolving.ends_at)?;
    Ok(resolved.unwrap_or_else(|| Resolved::not_within(resolving.limit)))
}

impl Resolving {
    /// Begins to resolve `target`: on a thread of its own if it has a name.
    pub(crate) fn start(target: &Target, end: Option<Instant>) -> Result<Self, Failure> {
        let now = Instant::now();
        let left = end.map(|end| end.saturating_duration_since(now));
        let limit = target.timeout().min(left.unwrap_or(Duration::MAX));
        let (sender, result) = mpsc::channel();
        let resolving = Self { result, done: None, limit, ends_at: now + limit };
        if !target.has_name() {
            // Nobody else holds the receiver, so that sending does not fail.
            let _ = sender.send(target.look_up());
            return Ok(resolving);
        }
        let spawned = pipe().and_then(|(done, is_running)| {
            let (sender, target) = (sender.clone(), target.clone());
            let resolve = move || {
                // If the wait is over by then, nobody receives this.
                let _ = sender.send(target.look_up());
                drop(is_running);
            };
            thread::Builder::new().name("resolver".to_owned()).spawn(resolve).map(|_| done)
        });
        match spawned {
            Ok(done) => Ok(Self { done: Some(done), ..resolving }),
            Err(error) if descriptors::are_exhausted(&error) => {
                Err(Failure::local("resolver", reason(&error)))
            }
            Err(error) => {
                extras::have(Extra::Thread, Err::<(), _>(error));
                let _ = sender.send(interrupt::interruptible(|| target.look_up()));
                Ok(resolving)
            }
        }
    }

    /// The addresses, if they are known by `until`. After the time for that, the resolver is said
    /// not to have answered.
    ///
    /// # Errors
    /// A client cannot go to the target; or a signal has come.
    pub(crate) fn resolved(&self, until: Instant) -> Result<Option<Resolved>, Failure> {
        if let Some(done) = &self.done {
            let until = until.min(self.ends_at);
            if !interrupt::wait(done.as_fd(), PollFlags::POLLIN, Some(until))? {
                let is_over = self.ends_at <= Instant::now();
                return Ok(is_over.then(|| Resolved::not_within(self.limit)));
            }
        }
        self.result.recv().ok().transpose()
    }
}
