//! An alarm that wakes an event loop at a given time, to the microsecond. epoll_wait(2)
//! itself counts in milliseconds, and many replies take less than a millisecond.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

/// A timer that wakes an event loop: timerfd_create(2).
#[derive(Debug)]
pub struct Alarm {
    token: Token,
    /// Created when the alarm is first armed.
    timer: Option<TimerFd>,
    /// When the alarm goes off; none if it is not armed.
    at: Option<Instant>,
}

impl Alarm {
    /// An alarm that wakes its loop with `token`.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self { token, timer: None, at: None }
    }

    /// Arms the alarm for `at`, in place of any earlier setting; false if `at` has passed.
    /// Without `at`, an armed alarm stays armed: waking the loop once for nothing does no
    /// harm.
    ///
    /// # Errors
    /// The system gives no timer.
    pub fn arm(&mut self, registry: &Registry, at: Option<Instant>) -> io::Result<bool> {
        let Some(time) = at.filter(|_| at != self.at) else {
            return Ok(true);
        };
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timer = match &mut self.timer {
            Some(timer) => timer,
            none => none.insert(timer(registry, self.token)?),
        };
        let once = Expiration::OneShot(TimeSpec::from_duration(left));
        timer.set(once, TimerSetTimeFlags::empty())?;
        self.at = at;
        Ok(true)
    }

    /// Notes that the alarm has woken the loop.
    pub fn gone_off(&mut self) {
        self.at = None;
    }
}

fn timer(registry: &Registry, token: Token) -> io::Result<TimerFd> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
    Ok(timer)
}
