//! How long to leave alone a socket whose calls fail for want of something, and
//! how often to warn about it.
//!
//! When descriptors or memory run out, an immediate second try would only burn
//! processor time. But readiness is edge-triggered, so there may be no further
//! event for what is already queued. So the socket rests, and the event loop tries
//! it again when the rest is over.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The first rest: short enough that nobody notices.
const FIRST: Duration = Duration::from_millis(100);

/// Rests double up to this one: long enough to cost nothing.
const LONGEST: Duration = Duration::from_secs(1);

/// Whether a socket rests, how long its next rest is, and whether to warn.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    until: Option<Instant>,
    next_length: Duration,
    warnings: Throttle,
}

impl Default for Rest {
    /// Not resting.
    fn default() -> Self {
        Self { until: None, next_length: FIRST, warnings: Throttle::default() }
    }
}

impl Rest {
    /// Begins a rest, twice as long as the last one. Returns whether to warn the
    /// user: once in 10 s, even if there were successes in between.
    #[must_use]
    pub fn begin(&mut self, now: Instant) -> bool {
        self.until = Some(now + self.next_length);
        self.next_length = (self.next_length * 2).min(LONGEST);
        self.warnings.may_pass(now)
    }

    /// Ends the rest early, because something was released that may have been
    /// lacking.
    pub fn end_early(&mut self) {
        self.until = None;
    }

    /// Notes that a call succeeded: the next rest is a short one again.
    pub fn succeeded(&mut self) {
        *self = Self { warnings: self.warnings, ..Self::default() };
    }

    /// When the rest ends, if there is one.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether the socket may be tried at `now`. Ends a rest whose time has come.
    pub fn may_try(&mut self, now: Instant) -> bool {
        let is_over = self.until.is_none_or(|until| until <= now);
        if is_over {
            self.until = None;
        }
        is_over
    }
}

/// Whether something waits in `socket`, which may rest.
#[must_use]
pub fn is_readable(socket: BorrowedFd<'_>) -> bool {
    readable(socket) == Some(true)
}

/// Whether it is certain that nothing waits in `socket`.
#[must_use]
pub fn is_empty(socket: BorrowedFd<'_>) -> bool {
    readable(socket) == Some(false)
}

/// What poll(2) says, which takes nothing from the socket. `None` if a sandbox refuses the call.
fn readable(socket: BorrowedFd<'_>) -> Option<bool> {
    let mut socket = [PollFd::new(socket, PollFlags::POLLIN)];
    poll(&mut socket, PollTimeout::ZERO).ok()?;
    socket[0].revents().map(|events| events.contains(PollFlags::POLLIN))
}

/// A warning that would be repeated is printed once in this time.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Lets one warning through, and then none for 10 s.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throttle {
    last: Option<Instant>,
}

impl Throttle {
    /// Whether a warning may be printed at `now`. If so, it counts as printed.
    pub fn may_pass(&mut self, now: Instant) -> bool {
        let may_pass = self.last.is_none_or(|last| now.duration_since(last) >= WARNING_INTERVAL);
        if may_pass {
            self.last = Some(now);
        }
        may_pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_passes_once_in_a_while() {
        let now = Instant::now();
        let mut throttle = Throttle::default();
        assert!(throttle.may_pass(now));
        assert!(!throttle.may_pass(now + WARNING_INTERVAL - Duration::from_millis(1)));
        assert!(throttle.may_pass(now + WARNING_INTERVAL));
    }

    #[test]
    fn rests_double_until_a_call_succeeds() {
        let mut now = Instant::now();
        let mut rest = Rest::default();
        assert!(rest.may_try(now));
        for ms in [100, 200, 400, 800, 1000, 1000] {
            let _ = rest.begin(now);
            now += Duration::from_millis(ms - 1);
            assert!(!rest.may_try(now), "{ms}");
            now += Duration::from_millis(1);
            assert!(rest.may_try(now), "{ms}");
        }
        let _ = rest.begin(now);
        rest.end_early();
        assert!(rest.may_try(now));
        rest.succeeded();
        let _ = rest.begin(now);
        assert_eq!(rest.until(), Some(now + FIRST));
    }

    #[test]
    fn successes_in_between_bring_no_further_warning() {
        let now = Instant::now();
        let mut rest = Rest::default();
        assert!(rest.begin(now));
        rest.succeeded();
        assert!(!rest.begin(now + Duration::from_secs(1)));
        assert!(rest.begin(now + WARNING_INTERVAL));
    }
}
