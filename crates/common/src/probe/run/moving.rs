//! How a run follows a target whose address changes.

use std::time::{Duration, Instant};

use super::Run;
use crate::probe::destination::Destination;
use crate::probe::renewal::Renewal;
use crate::probe::target::Target;

impl Run {
    /// Has the name of `target` asked for again, `every` so often from `now` on, if it has one.
    pub fn renew(&mut self, target: &Target, every: Duration, now: Instant) {
        if target.has_name() {
            self.renewal = Some(Box::new(Renewal::new(target.copied(), every, now)));
        }
    }

    /// Goes where the target is now, if that is known anew. The probes under way end where they are.
    pub(super) fn follow(&mut self, now: Instant) {
        let Some(renewal) = &mut self.renewal else {
            return;
        };
        let due = self.schedule.next_at(&|_| true);
        if let Some(destination) = renewal.turn(now, due) {
            self.move_to(destination);
        }
    }

    /// Goes to `destination`, if the target is no longer where probes go.
    pub(super) fn move_to(&mut self, destination: Destination) {
        let (now, before) = (destination.addresses(), &self.aim.addresses);
        match (before.first(), now.first()) {
            (Some(from), Some(to)) if self.aim.is_outdated(now) => {
                self.moved = Some((*from, *to));
                self.go_to(destination);
            }
            _ => {}
        }
    }
}
