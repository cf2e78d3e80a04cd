//! When something ends at a port: the time of its probe, or its quiet.

use std::iter;
use std::time::Instant;

use common::probe::poller::earlier;

use super::Ports;
use super::flows::Usage;
use super::slot::Expiry;

impl<S> Ports<S> {
    /// Nothing ends at any port before this time.
    pub fn first_end(&self) -> Option<Instant> {
        let quiet = self.quiet.first().map(|(until, _)| *until);
        // Probes may be waiting until there is room.
        let has_room = self.has_room() || self.free > 0 || self.policy.usage == Usage::Only;
        earlier(self.deadlines.first(), quiet.filter(|_| !has_room))
    }

    /// The next port at which something has ended by `now`. Something that is still under way
    /// after this has to be ended by the caller.
    pub fn next_expired(&mut self, now: Instant) -> Option<(usize, Expiry)> {
        let mut due = iter::from_fn(|| {
            let key = self.deadlines.take(now)?;
            let expiry = self.expiry(key, now);
            // If the deadline has moved meanwhile, it is set again.
            let next = self.slots[key].next_end(self.policy.usage).filter(|_| expiry.is_none());
            next.into_iter().for_each(|at| self.deadlines.set(key, at));
            Some(expiry.map(|expiry| (key, expiry)))
        });
        due.find_map(|expired| expired)
    }

    /// What has ended at a port by `now`, if anything has.
    pub fn expiry(&self, key: usize, now: Instant) -> Option<Expiry> {
        let slot = self.slots.get(key)?;
        slot.next_end(self.policy.usage).filter(|end| *end <= now)?;
        Some(if slot.out.is_some() { Expiry::Probe } else { Expiry::Quiet })
    }

    /// Ends the quiet of a flow's only port.
    pub fn wake(&mut self, key: usize) {
        self.change(key, |slot| slot.state.wake());
    }
}
