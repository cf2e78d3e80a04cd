//! Resolves the names of a target on a thread of its own, because the system's resolver takes
//! no time limit and cannot be woken.

use std::io::{PipeReader, pipe};
use std::mem;
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};
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
    progress: Progress,
    /// How long it may take, and until when.
    limit: Duration,
    ends_at: Instant,
}

type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug)]
enum Progress {
    /// A thread resolves the name, and closes its end of the pipe when it has the result. A thread
    /// whose result is waited for no longer goes on by itself.
    OnThread(PipeReader, JoinHandle<Result<Resolved>>),
    /// The result is there; none once it was taken.
    Done(Option<Result<Resolved>>),
}

/// Resolves `target`, within its time, but not beyond `end`.
///
/// # Errors
/// A client cannot go to the target as it is written, or not from that source; or a signal has
/// come.
pub fn resolve(target: &Target, end: Option<Instant>) -> Result<Resolved> {
    let mut resolving = Resolving::start(target, end)?;
    let resolved = resolving.resolved(resolving.ends_at)?;
    Ok(resolved.unwrap_or_else(|| Resolved::not_within(resolving.limit)))
}

impl Resolving {
    /// Begins to resolve `target`: on a thread of its own if it has a name.
    pub(crate) fn start(target: &Target, end: Option<Instant>) -> Result<Self> {
        let now = Instant::now();
        let left = end.map(|end| end.saturating_duration_since(now));
        let limit = target.timeout().min(left.unwrap_or(Duration::MAX));
        let progress = if target.has_name() {
            Progress::begin(target)?
        } else {
            Progress::Done(Some(target.look_up()))
        };
        Ok(Self { progress, limit, ends_at: now + limit })
    }

    /// The addresses, if they are known by `until`. After the time for that, the resolver is said
    /// not to have answered.
    ///
    /// # Errors
    /// A client cannot go to the target; or a signal has come.
    pub(crate) fn resolved(&mut self, until: Instant) -> Result<Option<Resolved>> {
        if let Progress::OnThread(done, _) = &self.progress {
            let until = until.min(self.ends_at);
            if !interrupt::wait(done.as_fd(), PollFlags::POLLIN, Some(until))? {
                let is_over = self.ends_at <= Instant::now();
                return Ok(is_over.then(|| Resolved::not_within(self.limit)));
            }
        }
        match mem::replace(&mut self.progress, Progress::Done(None)) {
            // The thread has closed the pipe, and ends. It does not panic.
            Progress::OnThread(_, thread) => thread.join().ok().transpose(),
            Progress::Done(result) => result.transpose(),
        }
    }
}

impl Progress {
    /// Resolves the name of `target` on a thread; or here and now, if there can be no thread.
    fn begin(target: &Target) -> Result<Self> {
        let spawned = pipe().and_then(|(done, is_running)| {
            let target = target.clone();
            let resolve = move || {
                let result = target.look_up();
                drop(is_running);
                result
            };
            let thread = thread::Builder::new().name("resolver".to_owned()).spawn(resolve)?;
            Ok(Self::OnThread(done, thread))
        });
        match spawned {
            Err(error) if descriptors::are_exhausted(&error) => {
                Err(Failure::local("resolver", reason(&error)))
            }
            Err(error) => {
                extras::have(Extra::Thread, Err::<(), _>(error));
                Ok(Self::Done(Some(interrupt::interruptible(|| target.look_up()))))
            }
            Ok(progress) => Ok(progress),
        }
    }
}
