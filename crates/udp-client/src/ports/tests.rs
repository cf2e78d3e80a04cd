//! The ports of many probes, without a run. The scenarios show them in a run.

use std::collections::BTreeSet;
use std::time::Duration;

use common::probe::aim::Aim;
use common::probe::schedule::Schedule;

use super::slot::Expiry;
use super::*;

const QUIET: Duration = Duration::from_secs(1);

/// Ports of which at most `most` may be open, and a source of probes.
struct World {
    ports: Ports<()>,
    schedule: Schedule,
    now: Instant,
}

impl World {
    fn new(usage: Usage, most: usize) -> Self {
        let now = Instant::now();
        let schedule = Schedule::new(now, Duration::ZERO, 1, 0);
        let policy = Policy { most, quiet: QUIET, usage };
        Self { ports: Ports::new(policy, now), schedule, now }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.ports.begin_turn(self.now);
    }

    /// Sends a probe of `flow`, and returns the key of its port, and the port that was closed.
    fn send(&mut self, flow: u32) -> (usize, Option<usize>) {
        let address = "192.0.2.1:6666".parse().unwrap();
        self.schedule.add_one(self.now);
        let due = self.schedule.take(self.now, &|_| true).unwrap();
        let probe = Aim::new(&[address], QUIET).probe(due, self.now, None).unwrap();
        let mut closed = None;
        let key = self.ports.free_port(flow, address).unwrap_or_else(|| {
            closed = self.ports.in_the_way(flow);
            closed.map(|key| self.ports.close(key));
            self.ports.add(flow, address, ())
        });
        self.ports.begin(key, probe);
        self.ports.sent(key, self.now, |_| {});
        (key, closed)
    }

    fn answer(&mut self, key: usize) {
        assert!(self.ports.end(key, None, self.now).is_some());
    }

    fn time_out(&mut self, key: usize) {
        let silence = Trouble::no_reply(QUIET);
        assert!(self.ports.end(key, Some(&silence), self.now).is_some());
    }
}

#[test]
fn ports_take_turns_and_no_more_than_a_few_do() {
    let mut world = World::new(Usage::Turns, 100);
    let mut keys = Vec::new();
    for _ in 0..3 * MOST_IN_TURN {
        let (key, closed) = world.send(0);
        assert_eq!(closed, None);
        world.answer(key);
        keys.push(key);
    }
    let (first, rest) = keys.split_at(MOST_IN_TURN);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), MOST_IN_TURN);
    assert_eq!(rest, [first, first].concat(), "the one that has rested longest is next");
    // More than that are opened if more probes are out at once.
    let keys: BTreeSet<_> = (0..50).map(|_| world.send(0).0).collect();
    assert_eq!(keys.len(), 50);
}

#[test]
fn ports_rest_however_many_probes_are_out() {
    let mut world = World::new(Usage::Turns, 100);
    let out: Vec<_> = (0..=MOST_IN_TURN).map(|_| world.send(0).0).collect();
    world.answer(out[0]);
    assert_ne!(world.send(0).0, out[0]);
}

#[test]
fn a_port_that_has_rested_is_used_again() {
    let mut world = World::new(Usage::Turns, 100);
    let (first, _) = world.send(0);
    world.answer(first);
    world.wait(REST - Duration::from_millis(1));
    let (second, _) = world.send(0);
    world.answer(second);
    assert_ne!(first, second);
    world.wait(Duration::from_millis(1));
    assert_eq!(world.send(0).0, first);
}

#[test]
fn a_quiet_port_is_closed_after_its_time_and_only_if_its_place_is_needed() {
    let mut world = World::new(Usage::Turns, 3);
    let [first, second, third] = [(); 3].map(|()| world.send(0).0);
    world.time_out(second);
    world.wait(Duration::from_millis(500));
    world.time_out(first);
    assert!(!world.ports.is_free(0));
    assert_eq!(world.ports.first_end(), Some(world.now + QUIET / 2));
    assert_eq!(world.ports.listens_until(), Some(world.now + QUIET));
    world.wait(QUIET / 2);
    assert!(world.ports.is_free(0) && world.ports.is_free(7));
    assert_eq!(world.send(0), (second, Some(second)), "the key is used again");
    assert!(!world.ports.is_free(0));
    world.answer(third);
    assert!(world.ports.is_free(0));
    assert_eq!(world.send(0), (third, None), "no other may be closed, so it cannot rest");
    world.wait(10 * QUIET);
    assert_eq!(world.ports.keys().len(), 3);
    assert_eq!(world.ports.stray(first, true, world.now).map(|stray| stray.number), Some(1));
}

#[test]
fn a_probe_that_waits_for_its_port_is_sent_as_soon_as_there_is_room() {
    let mut world = World::new(Usage::Turns, 1);
    let (key, _) = world.send(0);
    world.wait(QUIET);
    assert_eq!(world.ports.next_expired(world.now), Some((key, Expiry::Probe)));
    world.time_out(key);
    assert_eq!(world.ports.next_expired(world.now), None);
    assert!(!world.ports.is_free(0));
    assert_eq!(world.ports.first_end(), Some(world.now + QUIET));
    world.wait(QUIET);
    assert!(world.ports.is_free(0));
    assert_eq!(world.ports.first_end(), None, "nothing to wait for");
}

#[test]
fn with_more_flows_than_places_the_free_port_of_another_flow_is_closed() {
    let mut world = World::new(Usage::Keep, 2);
    for flow in 0..2 {
        let (key, _) = world.send(flow);
        world.wait(Duration::from_millis(1));
        world.answer(key);
    }
    let (key, closed) = world.send(2);
    assert_eq!(closed, Some(key), "the one that was answered first");
    assert_eq!(world.send(1), (1, None));
    assert!(!world.ports.is_free(0));
}

#[test]
fn an_only_port_is_free_again_after_its_quiet() {
    let mut world = World::new(Usage::Only, 10);
    let (key, _) = world.send(0);
    assert!(!world.ports.is_free(0) && world.ports.is_free(1));
    world.wait(QUIET);
    assert_eq!(world.ports.next_expired(world.now), Some((key, Expiry::Probe)));
    world.time_out(key);
    assert_eq!(world.ports.next_expired(world.now), None);
    assert_eq!(world.ports.first_end(), Some(world.now + QUIET));
    world.wait(QUIET);
    assert!(!world.ports.is_free(0));
    assert_eq!(world.ports.next_expired(world.now), Some((key, Expiry::Quiet)));
    world.ports.wake(key);
    assert!(world.ports.is_free(0));
    assert_eq!(world.send(0), (key, None));
}

#[test]
fn a_deadline_that_has_moved_is_none() {
    let mut world = World::new(Usage::Turns, 10);
    let (key, _) = world.send(0);
    let first = world.ports.first_end().unwrap();
    world.wait(QUIET / 2);
    world.answer(key);
    world.wait(REST);
    assert_eq!(world.send(0), (key, None));
    assert_eq!(world.ports.first_end(), Some(first), "the deadline is still set");
    world.wait(QUIET / 2);
    assert_eq!(world.ports.next_expired(world.now), None);
    assert!(world.ports.first_end().unwrap() > world.now);
}

/// However long a run has had losses, a probe takes no longer. If it looked at each port, this
/// test would take a minute, and not a moment.
#[test]
fn ten_thousand_quiet_ports_cost_nothing() {
    let mut world = World::new(Usage::Turns, 10_000);
    for _ in 0..100_000 {
        let (key, _) = world.send(0);
        world.wait(Duration::from_millis(1));
        world.time_out(key);
        assert!(world.ports.is_free(0));
        assert_eq!(world.ports.next_expired(world.now), None);
    }
    assert_eq!(world.ports.keys().len(), 10_000);
}

/// A probe to the first of two addresses, with a time of [`QUIET`], at a port of its own.
fn unsent(world: &mut World) -> (usize, Probe) {
    let addresses = ["192.0.2.1:6666", "192.0.2.2:6666"].map(|a| a.parse().unwrap());
    world.schedule.add_one(world.now);
    let due = world.schedule.take(world.now, &|_| true).unwrap();
    let probe = Aim::new(&addresses, QUIET).probe(due, world.now, None).unwrap();
    let key = world.ports.add(0, addresses[0], ());
    world.ports.begin(key, probe);
    (key, probe)
}

#[test]
fn a_datagram_that_leaves_after_its_first_deadline_has_one_all_the_same() {
    let mut world = World::new(Usage::Turns, 10);
    let (key, _) = unsent(&mut world);
    world.wait(QUIET);
    assert_eq!(world.ports.next_expired(world.now), Some((key, Expiry::Probe)));
    // One more look at the socket: now it takes the datagram.
    let now = world.now;
    world.ports.sent(key, now, |probe| probe.begin(now, now));
    assert_eq!(world.ports.first_end(), Some(now + QUIET));
}

#[test]
fn a_rival_that_was_not_sent_yet_is_given_up_like_the_others() {
    let mut world = World::new(Usage::Turns, 10);
    let (key, probe) = unsent(&mut world);
    world.ports.settle(probe.number(), world.now);
    assert!(world.ports.probe(key).is_none());
}
