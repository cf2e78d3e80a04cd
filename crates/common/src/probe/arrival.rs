//! When something arrived at this machine, by the kernel's own stamp: `SO_TIMESTAMPNS`,
//! socket(7). So our own delay in receiving it is not taken for the network's.

use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Socket, Type};

use crate::probe::extras::{self, Extra};

/// Makes the kernel stamp what `socket` receives, if it does that.
pub fn enable(socket: &impl AsFd) {
    extras::have(Extra::Stamps, setsockopt(socket, sockopt::ReceiveTimestampns, &true));
}

/// Makes the kernel stamp everything that comes to this machine, for as long as the value
/// lives. The kernel stamps while any socket asks for it, and to begin and to stop costs it some
/// time: so this saves time where sockets are short-lived, and the first of them has stamps, too.
/// Without it, stamps are only less exact.
#[must_use]
pub fn keep_stamping() -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).ok()?;
    enable(&socket);
    Some(socket)
}

/// When something has come, and been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it had come to this machine.
    pub at: Instant,
    /// How long it then lay here until it was read; none if the kernel does not say when it came.
    pub lay: Option<Duration>,
}

/// The time at which the kernel stamped something that was just read, on the clock that is never
/// set. The stamp is on the wall clock, so it is taken as an age: now less the stamp. The age is
/// how long it lay here, because it is asked for right after it was read.
///
/// Nothing arrives before `sent` or in the future. If the stamp says so (the wall clock was
/// set meanwhile), or if there is none, it has arrived at `seen`, when the loop saw it.
#[must_use]
pub fn arrived(stamp: Option<TimeSpec>, sent: Instant, seen: Instant) -> Arrival {
    let age = stamp.and_then(|stamp| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from(stamp)).ok()
    });
    let by_stamp = age.and_then(|age| Instant::now().checked_sub(age));
    match by_stamp.filter(|at| *at >= sent) {
        Some(at) => Arrival { at, lay: age },
        None => Arrival { at: seen, lay: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_taken_as_an_age_and_an_impossible_one_is_ignored() {
        let seen = Instant::now();
        let sent = seen.checked_sub(Duration::from_secs(5)).unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let at = |age| arrived(Some(TimeSpec::from_duration(now - age)), sent, seen);
        let two = Duration::from_secs(2);
        let arrival = at(two);
        let (age, lay) = (seen - arrival.at, arrival.lay.unwrap());
        assert!(age.abs_diff(two) < Duration::from_secs(1), "{age:?}");
        assert!(two <= lay && lay < Duration::from_secs(3), "{lay:?}");
        let seen = Arrival { at: seen, lay: None };
        assert_eq!(at(Duration::from_secs(6)), seen, "before it was sent");
        let future = TimeSpec::from_duration(now + Duration::from_secs(60));
        assert_eq!(arrived(Some(future), sent, seen.at), seen);
        assert_eq!(arrived(None, sent, seen.at), seen);
    }
}
