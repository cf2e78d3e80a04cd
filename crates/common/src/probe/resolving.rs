//! Resolves the names of a target on a thread of its own, because the system's resolver takes
//! no time limit and cannot be woken.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::debug;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::unistd::pipe2;

use crate::descriptors;
use crate::exit::{Failure, reason};
use crate::probe::destination::list;
use crate::probe::extras::{self, Extra};
use crate::probe::interrupt;
use crate::probe::target::{Resolved, Target};

/// A target that is being resolved.
#[derive(Debug)]
pub(crate) struct Resolving {
    written: String,
    /// The result that has come already, or else the thread that will have it.
    known: Option<Result<Resolved, Failure>>,
    spawned: Option<Spawned>,
    /// How long it may take, and until when.
    limit: Duration,
    ends_at: Instant,
}

/// A thread that resolves a target.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// The end of a pipe that the thread closes when it has its result.
    done: OwnedFd,
    thread: JoinHandle<Result<Resolved, Failure>>,
}

/// Resolves `target`, within its time, but not beyond `end`.
///
/// # Errors
/// A client cannot go to the target as it is written, or not from that source; or a signal has
/// come.
pub fn resolve(target: &Target, end: Option<Instant>) -> Result<Resolved, Failure> {
    let mut resolving = Resolving::start(target, end)?;
    let resolved = resolving.resolved(resolving.ends_at)?;
    Ok(resolved.unwrap_or_else(|| Resolved::not_within(resolving.limit)))
}

impl Spawned {
    /// Begins to resolve `target` on a thread of its own. If nobody waits for its end, it goes on.
    ///
    /// # Errors
    /// The system's: there is no pipe, or no thread.
    pub(crate) fn new(target: &Target) -> io::Result<Self> {
        let (done, is_running) = pipe2(OFlag::O_CLOEXEC)?;
        let target = target.copied();
        let resolve = move || {
            let resolved = target.look_up();
            drop(is_running);
            resolved
        };
        let thread = thread::Builder::new().name("resolver".to_owned()).spawn(resolve)?;
        Ok(Self { done, thread })
    }

    /// Whether the result is there.
    pub(crate) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// The result, once it is there. A thread that has panicked has ended the process.
    ///
    /// # Errors
    /// A client cannot go to the target.
    pub(crate) fn result(self) -> Result<Option<Resolved>, Failure> {
        self.thread.join().ok().transpose()
    }
}

impl Resolving {
    /// Begins to resolve `target`: on a thread of its own if it has a name.
    pub(crate) fn start(target: &Target, end: Option<Instant>) -> Result<Self, Failure> {
        let now = Instant::now();
        let left = end.map(|end| end.saturating_duration_since(now));
        let limit = target.timeout().min(left.unwrap_or(Duration::MAX));
        let (known, spawned) = if target.has_name() {
            match Spawned::new(target) {
                Ok(spawned) => (None, Some(spawned)),
                Err(error) if descriptors::are_exhausted(&error) => {
                    return Err(Failure::local("resolver", reason(&error)));
                }
                Err(error) => {
                    extras::have(Extra::Thread, Err::<(), _>(error));
                    (Some(interrupt::interruptible(|| target.look_up())), None)
                }
            }
        } else {
            (Some(target.look_up()), None)
        };
        let written = target.written()?.to_string();
        Ok(Self { written, known, spawned, limit, ends_at: now + limit })
    }

    /// The addresses, if they are known by `until`. After the time for that, the resolver is said
    /// not to have answered.
    ///
    /// # Errors
    /// A client cannot go to the target; or a signal has come.
    pub(crate) fn resolved(&mut self, until: Instant) -> Result<Option<Resolved>, Failure> {
        if let Some(Spawned { done, .. }) = &self.spawned {
            let until = until.min(self.ends_at);
            if !interrupt::wait(done.as_fd(), PollFlags::POLLIN, Some(until))? {
                let is_over = self.ends_at <= Instant::now();
                return Ok(is_over.then(|| Resolved::not_within(self.limit)));
            }
        }
        let resolved = match self.spawned.take() {
            Some(spawned) => spawned.result()?,
            None => self.known.take().transpose()?,
        };
        if let Some(Resolved::Destination(destination)) = &resolved {
            debug!("[*] Going to: {}: {}", self.written, list(destination.addresses()));
        }
        Ok(resolved)
    }
}
