//! Waking an event loop at a time, to the microsecond: epoll_wait(2) itself
//! counts in milliseconds, which is more than many a reply takes.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

/// A timer that wakes a loop: timerfd_create(2).
#[derive(Debug)]
pub struct Alarm {
    token: Token,
    /// Made when it is first set.
    timer: Option<TimerFd>,
    /// When it goes off; none where it is not set.
    at: Option<Instant>,
}

impl Alarm {
    /// An alarm that wakes a loop with `token`.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self { token, timer: None, at: None }
    }

    /// Has it wake the loop of `registry` at `at`, if that is to come. (One that
    /// goes off for nothing does no harm.)
    ///
    /// # Errors
    /// The system's.
    pub fn set(
        &mut self,
        registry: &Registry,
        at: Option<Instant>,
        now: Instant,
    ) -> io::Result<()> {
        let at = at.filter(|at| *at > now);
        if at == self.at {
            return Ok(());
        }
        self.at = at;
        let Some(at) = at else {
            return Ok(());
        };
        let timer = match &mut self.timer {
            Some(timer) => timer,
            none => none.insert(timer(registry, self.token)?),
        };
        let once = Expiration::OneShot(TimeSpec::from_duration(at - now));
        Ok(timer.set(once, TimerSetTimeFlags::empty())?)
    }
}

fn timer(registry: &Registry, token: Token) -> io::Result<TimerFd> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
    Ok(timer)
}
