//! An alarm that wakes an event loop at a given time, to the microsecond. epoll_wait(2)
//! itself counts in milliseconds, and many replies take less than a millisecond.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use crate::probe::extras::{self, Extra};

/// A timer that wakes an event loop: timerfd_create(2).
#[derive(Debug)]
pub struct Alarm {
    token: Token,
    timer: Timer,
    /// When the alarm goes off; none if it is not armed.
    at: Option<Instant>,
}

#[derive(Debug)]
enum Timer {
    /// The alarm was not armed so far.
    Unused,
    There(TimerFd),
    /// The system gives none.
    Missing,
}

impl Alarm {
    /// An alarm that wakes its loop with `token`.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self { token, timer: Timer::Unused, at: None }
    }

    /// Arms the alarm for `at`, in place of any earlier setting. Returns how long the loop may
    /// wait at most: not at all if `at` has passed; without end if the alarm will wake it. Without
    /// `at`, an armed alarm stays armed: waking the loop once for nothing does no harm.
    pub fn arm(&mut self, registry: &Registry, at: Option<Instant>) -> Option<Duration> {
        let time = at.filter(|_| at != self.at)?;
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(left);
        }
        if matches!(self.timer, Timer::Unused) {
            let timer = extras::have(Extra::Timer, timer(registry, self.token));
            self.timer = timer.map_or(Timer::Missing, Timer::There);
        }
        let Timer::There(timer) = &self.timer else {
            return Some(left);
        };
        let once = Expiration::OneShot(TimeSpec::from_duration(left));
        if extras::have(Extra::Timer, timer.set(once, TimerSetTimeFlags::empty())).is_none() {
            return Some(left);
        }
        self.at = at;
        None
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
