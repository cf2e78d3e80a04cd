//! The source ports of a run: which one a probe leaves from, and when a port is free,
//! quiet, or closed.
//!
//! At most one probe is out from a port. A port whose probe was answered is free. A port that
//! may get more answers is quiet, and goes on listening until its place is needed: then a port
//! that has been quiet for long enough is closed. If there is none, probes wait. With
//! `--source-port` a flow has only one port, which is free again after its quiet. `ends` says at which
//! port a time has come; `lending` takes a port out, so that something else can leave from it.
//!
//! This is pure policy, without a clock and without system calls. With each port the caller
//! keeps a value of type `S`: a socket, or a name in the scenarios. However many ports are
//! open, a probe takes no more than the look-up in a few sorted sets and queues.

mod accounts;
pub mod deadlines;
mod ends;
pub mod flows;
mod lending;
pub mod slot;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use common::probe::aim::Probe;
use common::probe::outcome::trouble::Trouble;
use common::probe::stray::{Kind, Stray};
use slab::Slab;

use crate::source_port::SourcePort;
use deadlines::Deadlines;
use flows::{Flows, MOST_IN_TURN, Policy, REST, Usage};
use slot::{Out, Place, Slot};

/// The source ports, by key.
#[derive(Debug)]
pub struct Ports<S> {
    policy: Policy,
    slots: Slab<Slot<S>>,
    flows: Flows,
    /// The port that each flow has opened last: with `--source-port` its only one.
    last_opened: BTreeMap<u32, usize>,
    /// The flow one of whose ports is lent.
    lent: Option<u32>,
    /// How many ports are free.
    free: usize,
    /// The ports that are quiet, by the time until when they are at least.
    quiet: BTreeSet<(Instant, usize)>,
    /// Those of them whose late reply may still come.
    awaited: BTreeSet<(Instant, usize)>,
    deadlines: Deadlines,
    /// The rank of the port that gets one next.
    next_rank: u64,
    /// The present, as the caller last said.
    now: Instant,
}

impl<S> Ports<S> {
    /// No ports yet, at the time `now`.
    pub fn new(policy: Policy, now: Instant) -> Self {
        Self {
            policy,
            slots: Slab::new(),
            flows: Flows::default(),
            last_opened: BTreeMap::new(),
            lent: None,
            free: 0,
            quiet: BTreeSet::new(),
            awaited: BTreeSet::new(),
            deadlines: Deadlines::default(),
            next_rank: 0,
            now,
        }
    }

    /// Notes that it is `now`: more ports may have been quiet for long enough.
    pub fn begin_turn(&mut self, now: Instant) {
        self.now = now;
    }

    /// Whether `flow` may send a probe.
    pub fn is_free(&self, flow: u32) -> bool {
        match self.policy.usage {
            Usage::Only if self.lent == Some(flow) => false,
            Usage::Only => self.last_opened.get(&flow).is_none_or(|key| self.slots[*key].is_free()),
            Usage::Keep | Usage::Turns => self.has_room() || self.free > 0,
        }
    }

    /// A port that is open and from which `flow` may send to `address`. None if a new one is
    /// better: if ports take turns, and even the one that has rested longest has not rested
    /// enough.
    pub fn free_port(&self, flow: u32, address: SocketAddr) -> Option<usize> {
        let lane = self.flows.lane(flow, address)?;
        let key = lane.next()?;
        let answered_at = self.slots[key].state.answered_at();
        let has_rested = answered_at.is_none_or(|at| at + REST <= self.now);
        let may_open = lane.resting() < MOST_IN_TURN && self.has_room();
        (self.policy.usage != Usage::Turns || has_rested || !may_open).then_some(key)
    }

    /// Whether one more port may be opened, or a quiet one closed for it.
    fn has_room(&self) -> bool {
        self.slots.len() < self.policy.most || self.quiet_for_long_enough().is_some()
    }

    /// The port that has been quiet for longest, if that is long enough.
    fn quiet_for_long_enough(&self) -> Option<usize> {
        self.quiet.first().filter(|(until, _)| *until <= self.now).map(|(_, key)| *key)
    }

    /// The port that has to be closed before one more of `flow` is opened, if one has to be.
    /// With `--source-port` it is the flow's only port, which is for another address, even if
    /// a probe is out. Otherwise, if no more ports may be open, it is the one that has been
    /// quiet for longest, or else a free one, which needs many flows and few descriptors.
    pub fn in_the_way(&self, flow: u32) -> Option<usize> {
        if self.policy.usage == Usage::Only {
            return self.last_opened.get(&flow).copied();
        }
        if self.slots.len() < self.policy.most {
            return None;
        }
        let free =
            || self.flows.next_of_all().min_by_key(|key| self.slots[*key].state.answered_at());
        self.quiet_for_long_enough().or_else(free)
    }

    /// Closes a port. Returns the caller's value, and the probe that was out.
    pub fn close(&mut self, key: usize) -> (S, Option<Out>) {
        self.leave(key);
        self.deadlines.remove(key);
        let Slot { flow, socket, out, .. } = self.slots.remove(key);
        if self.last_opened.get(&flow) == Some(&key) {
            self.last_opened.remove(&flow);
        }
        (socket, out)
    }

    /// The key that [`Ports::add`] returns next.
    pub fn next_key(&self) -> usize {
        self.slots.vacant_key()
    }

    /// Adds a port of `flow` that sends to `address`.
    pub fn add(&mut self, flow: u32, address: SocketAddr, socket: S) -> usize {
        let (state, rank) = (SourcePort::new(self.policy.quiet), self.take_rank());
        let key = self.slots.insert(Slot {
            flow,
            address,
            state,
            out: None,
            is_in_race: false,
            rank,
            socket,
        });
        self.last_opened.insert(flow, key);
        self.enter(key);
        key
    }

    /// The caller's value for a port; none if the port is closed.
    pub fn get(&self, key: usize) -> Option<&S> {
        self.slots.get(key).map(|slot| &slot.socket)
    }

    /// The same, to change the value.
    pub fn get_mut(&mut self, key: usize) -> Option<&mut S> {
        self.slots.get_mut(key).map(|slot| &mut slot.socket)
    }

    /// The keys of all ports.
    #[cfg(test)]
    pub fn keys(&self) -> Vec<usize> {
        self.slots.iter().map(|(key, _)| key).collect()
    }

    /// The probe that is out from a port.
    pub fn probe(&self, key: usize) -> Option<&Probe> {
        self.slots.get(key)?.out.as_ref().map(|out| &out.probe)
    }

    /// When the last datagram was sent from a port.
    pub fn sent_at(&self, key: usize) -> Option<Instant> {
        let slot = self.slots.get(key)?;
        slot.out.as_ref().map_or_else(|| slot.state.sent_at(), |out| out.sent)
    }

    /// Notes that `probe` goes out from a port that is free.
    pub fn begin(&mut self, key: usize, probe: Probe) {
        self.deadlines.set(key, probe.given_up_at());
        self.change(key, |slot| slot.out = Some(Out { probe, sent: None }));
    }

    /// Notes that the datagram of a port's probe was sent. It may be sent again: the probe
    /// begins with the first datagram, when `begin` is called, and the reply's time with the
    /// last one.
    pub fn sent(&mut self, key: usize, at: Instant, begin: impl FnOnce(&mut Probe)) {
        let Slot { out: Some(out), state, is_in_race, .. } = &mut self.slots[key] else {
            return;
        };
        if out.sent.is_none() {
            let before = out.probe.given_up_at();
            begin(&mut out.probe);
            state.sent(out.probe.number(), at);
            *is_in_race = out.probe.is_in_race();
            self.deadlines.put_off(key, before, out.probe.given_up_at());
            // If the datagram had to wait, its first deadline may have come already.
            self.deadlines.set(key, out.probe.given_up_at());
        }
        out.sent = Some(at);
    }

    /// Ends the probe that is out from a port, and returns it. `trouble` is why the probe
    /// failed; none if a reply came. An end in silence makes the port quiet from `at` on.
    pub fn end(&mut self, key: usize, trouble: Option<&Trouble>, at: Instant) -> Option<Out> {
        self.probe(key)?;
        let rank = self.take_rank();
        let takes_turns = self.policy.usage == Usage::Turns;
        self.change(key, |slot| {
            let ended = slot.out.take()?;
            match trouble {
                // Nothing was sent, so nothing will come.
                Some(_) if ended.sent.is_none() => {}
                Some(trouble) if trouble.is_silence => slot.state.silent(at),
                Some(_) => slot.state.answered(at),
                None => slot.state.replied(at),
            }
            slot.rank = if takes_turns { rank } else { slot.rank };
            Some(ended)
        })
    }

    /// Notes that the probe with this number has had an answer by `now`, at this port or
    /// another: whatever still comes to its ports is a further answer.
    pub fn settle(&mut self, number: u64, now: Instant) {
        let slots = self.slots.iter().filter(|(_, slot)| {
            let out = slot.out.as_ref().map(|out| out.probe.number());
            out.or(slot.state.last()) == Some(number)
        });
        let keys: Vec<_> = slots.map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| {
            self.change(key, |slot| {
                slot.state.settled(now);
                slot.out = None;
            });
        });
    }

    /// Until when a late reply may still come; none if none may.
    pub fn listens_until(&self) -> Option<Instant> {
        self.awaited.last().map(|(until, _)| *until)
    }

    /// Notes a datagram that no probe was waiting for. It came to a port, from the target if
    /// `is_target`.
    pub fn stray(&mut self, key: usize, is_target: bool, now: Instant) -> Option<Stray> {
        let stray = self.change(key, |slot| slot.state.stray(is_target, now))?;
        if stray.kind == Kind::Late && self.slots[key].is_in_race {
            // What another address says of the same probe is a further answer.
            self.settle(stray.number, now);
        }
        Some(stray)
    }

    /// Notes an ICMP error that no probe was waiting for. It came to a port.
    pub fn error(&mut self, key: usize, now: Instant) {
        self.change(key, |slot| slot.state.error(now));
    }

    fn take_rank(&mut self) -> u64 {
        self.next_rank += 1;
        self.next_rank
    }

    /// Changes a port, and notes what it can be used for then.
    fn change<R>(&mut self, key: usize, change: impl FnOnce(&mut Slot<S>) -> R) -> R {
        self.leave(key);
        let result = change(&mut self.slots[key]);
        self.enter(key);
        result
    }

    fn enter(&mut self, key: usize) {
        let slot = &self.slots[key];
        match slot.place() {
            Place::Free => {
                self.free += 1;
                self.flows.lane_mut(slot.flow, slot.address).enter(key, slot.rank);
            }
            Place::Out => {}
            Place::Quiet(until) => {
                self.quiet.insert((until, key));
                self.awaited.extend(slot.state.is_awaited().then_some((until, key)));
                if self.policy.usage == Usage::Only {
                    self.deadlines.set(key, until);
                }
            }
        }
    }

    /// The contrary of [`Ports::enter`].
    fn leave(&mut self, key: usize) {
        let slot = &self.slots[key];
        match slot.place() {
            Place::Free => {
                self.free -= 1;
                self.flows.lane_mut(slot.flow, slot.address).leave(key, slot.rank);
            }
            Place::Out => {}
            Place::Quiet(until) => {
                self.quiet.remove(&(until, key));
                self.awaited.remove(&(until, key));
            }
        }
    }
}

#[cfg(test)]
mod tests;
