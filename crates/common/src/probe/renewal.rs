//! The name of a run's target is asked for again every so often (`--resolve-every`), because its
//! address may change. The resolver has a thread of its own, and the loop never waits for it: what
//! it has said is looked for when the loop turns anyway, at the latest when a probe is due.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::exit::reason;
use crate::probe::destination::Destination;
use crate::probe::resolving::Spawned;
use crate::probe::target::{Resolved, Target};
use crate::probe::verbose;

/// How long before a probe is due the name is asked for, if probes are rarer than that: so the
/// probe goes to an address that is no older. A resolver that answers later has failed once (5 s,
/// resolv.conf(5)).
const LEAD: Duration = Duration::from_secs(5);

/// The name, and when it is asked for.
#[derive(Debug)]
pub struct Renewal {
    target: Target,
    every: Duration,
    /// When it was asked for last.
    asked: Instant,
    /// The resolver that has been asked and has not answered.
    resolving: Option<Spawned>,
}

impl Renewal {
    /// The name of `target`, which was asked for at `asked`, and is again `every` so often.
    #[must_use]
    pub fn new(target: Target, every: Duration, asked: Instant) -> Self {
        Self { target, every, asked, resolving: None }
    }

    /// When the name is asked for next, if the next probe is `due` then. It is not while there is no
    /// answer, or no probe to come.
    #[must_use]
    pub fn next_at(&self, due: Option<Instant>) -> Option<Instant> {
        let ask = |due| ask_at(self.asked, self.every, due);
        due.filter(|_| self.resolving.is_none()).map(ask)
    }

    /// Asks for the name if it is time for that, as the next probe is `due` then. Returns where the
    /// target is, if the resolver has answered. If it has failed, nothing is known anew.
    pub fn turn(&mut self, now: Instant, due: Option<Instant>) -> Option<Destination> {
        let renewed = self.answer();
        if self.next_at(due).is_some_and(|at| at <= now) {
            self.asked = now;
            match Spawned::new(&self.target) {
                Ok(spawned) => self.resolving = Some(spawned),
                Err(error) => failed(&reason(&error)),
            }
        }
        renewed
    }

    fn answer(&mut self) -> Option<Destination> {
        match self.resolving.take_if(|asked| asked.is_done())?.result() {
            Ok(Some(Resolved::Destination(destination))) => return Some(destination),
            Ok(Some(Resolved::Nowhere(outcome))) => {
                outcome.result.err().iter().for_each(|trouble| failed(trouble));
            }
            Err(failure) => failed(&failure),
            Ok(None) => {}
        }
        None
    }
}

fn failed(why: &dyn Display) {
    verbose::say(format_args!("[*] Asked for the name again: {why}"));
}

/// When a name is asked for that was last `asked` for then, `every` so often, if the next probe is
/// `due` then.
fn ask_at(asked: Instant, every: Duration, due: Instant) -> Instant {
    let at = asked + every;
    due.checked_sub(LEAD).map_or(at, |early| early.max(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_so_often_and_no_more_often_than_probes_need_it() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        for (asked, every, due, ask) in [
            // Probes each second.
            (0, 60, 1, 60),
            (0, 60, 59, 60),
            (60, 60, 61, 120),
            // It is overdue.
            (0, 60, 61, 60),
            // Probes each hour.
            (0, 60, 3600, 3595),
            (3595, 60, 7200, 7195),
            (3595, 60, 3600, 3655),
            // Probes every 10 s.
            (0, 60, 70, 65),
        ] {
            let found = ask_at(at(asked), Duration::from_secs(every), at(due));
            assert_eq!((found - start).as_secs(), ask, "{asked} {every} {due}");
        }
    }
}
