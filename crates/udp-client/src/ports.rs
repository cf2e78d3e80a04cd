//! The source ports of a run: which one a probe leaves from, and when a port is free,
//! quiet, or closed.
//!
//! At most one probe is out from a port. A flow uses a port again as soon as the port is
//! free, and another port while the port is quiet. With `--source-port` a flow has only
//! one port, and waits until the port is free.
//!
//! This is pure policy, without a clock and without system calls. With each port the caller
//! keeps a value of type `S`: a socket, or a name in the scenarios.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::probe::aim::Probe;
use common::probe::outcome::trouble::Trouble;
use common::probe::poller::earlier;
use common::probe::stray::Stray;
use common::probe::target::Target;
use slab::Slab;

use crate::source_port::SourcePort;

/// The source ports, by key.
#[derive(Debug)]
pub struct Ports<S> {
    policy: Policy,
    slots: Slab<Slot<S>>,
    /// The port that each flow has used last. Usually that port is free again.
    used: Vec<usize>,
    /// From how many ports a probe is out.
    out: usize,
    /// Nothing ends at any port before this time.
    first_end: Option<Instant>,
}

/// How ports may be used.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How many ports may be open at once.
    pub most: usize,
    /// How long a port is quiet: as long as one exchange may take.
    pub quiet: Duration,
    /// Whether each flow has only one port (`--source-port`).
    pub is_fixed: bool,
}

impl Policy {
    /// The policy for probes of `target`, with at most `most` open ports.
    pub fn of(target: &Target, most: usize) -> Self {
        Self { most, quiet: target.timeout(), is_fixed: target.has_source_port() }
    }
}

#[derive(Debug)]
struct Slot<S> {
    flow: u32,
    /// The address of the target that the port is for.
    address: SocketAddr,
    state: SourcePort,
    out: Option<Out>,
    socket: S,
}

/// A probe that is out, or about to be sent.
#[derive(Debug)]
pub struct Out {
    /// The probe.
    pub probe: Probe,
    /// When the probe's datagram was sent last; none if it was not sent.
    pub sent: Option<Instant>,
}

/// What ends at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The time of the probe that is out.
    Probe,
    /// The time for which the port is quiet.
    Quiet,
}

impl<S> Ports<S> {
    /// No ports yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, slots: Slab::new(), used: Vec::new(), out: 0, first_end: None }
    }

    /// Whether `flow` may send a probe.
    pub fn is_free(&self, flow: u32) -> bool {
        let mut slots = self.slots.iter().map(|(_, slot)| slot);
        self.out < self.policy.most
            && (!self.policy.is_fixed || slots.all(|slot| slot.flow != flow || slot.is_free()))
    }

    /// A port that is open and from which `flow` may send to `address`.
    pub fn free_port(&self, flow: u32, address: SocketAddr) -> Option<usize> {
        let is_free =
            |slot: &Slot<S>| slot.is_free() && slot.flow == flow && slot.address == address;
        let used = self.used.get(flow as usize).copied();
        used.filter(|key| self.slots.get(*key).is_some_and(is_free))
            .or_else(|| self.slots.iter().find(|(_, slot)| is_free(slot)).map(|(key, _)| key))
    }

    /// Makes room for one more port of `flow`. Returns the port that was closed for it, and the
    /// probe that was out from there: with `--source-port` the flow's only port, which is for
    /// another address; otherwise, if no more ports may be open, the one that has been quiet
    /// for longest, or else a free one.
    pub fn make_room(&mut self, flow: u32) -> Option<(S, Option<Out>)> {
        let mut slots = self.slots.iter();
        let closed = if self.policy.is_fixed {
            slots.find(|(_, slot)| slot.flow == flow)
        } else if self.slots.len() >= self.policy.most {
            let order = |slot: &Slot<S>| (slot.is_free(), slot.state.quiet_until());
            slots.filter(|(_, slot)| slot.out.is_none()).min_by_key(|(_, slot)| order(slot))
        } else {
            None
        };
        let key = closed?.0;
        let Slot { socket, out, .. } = self.slots.remove(key);
        self.out -= usize::from(out.is_some());
        Some((socket, out))
    }

    /// The key that [`Ports::add`] returns next.
    pub fn next_key(&self) -> usize {
        self.slots.vacant_key()
    }

    /// Adds a port of `flow` that sends to `address`.
    pub fn add(&mut self, flow: u32, address: SocketAddr, socket: S) -> usize {
        let state = SourcePort::new(self.policy.quiet);
        self.slots.insert(Slot { flow, address, state, out: None, socket })
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
        let flow = probe.flow() as usize;
        if self.used.len() <= flow {
            self.used.resize(flow + 1, key);
        }
        self.used[flow] = key;
        self.out += 1;
        self.slots[key].out = Some(Out { probe, sent: None });
        self.note_end(key);
    }

    /// Notes that the datagram of a port's probe was sent. It may be sent again: the probe
    /// begins with the first datagram, when `begin` is called, and the reply's time with the
    /// last one.
    pub fn sent(&mut self, key: usize, at: Instant, begin: impl FnOnce(&mut Probe)) {
        let Slot { out: Some(out), state, .. } = &mut self.slots[key] else {
            return;
        };
        if out.sent.is_none() {
            begin(&mut out.probe);
            state.sent(out.probe.number(), at);
        }
        out.sent = Some(at);
    }

    /// Ends the probe that is out from a port, and returns it. `trouble` is why the probe
    /// failed; none if a reply came. An end in silence makes the port quiet from `at` on.
    pub fn end(&mut self, key: usize, trouble: Option<&Trouble>, at: Instant) -> Option<Out> {
        let Slot { out, state, .. } = self.slots.get_mut(key)?;
        let ended = out.take()?;
        self.out -= 1;
        match trouble {
            None => state.answered(),
            Some(trouble) if trouble.is_silence => state.silent(at),
            // No reply will come, so the port is free.
            Some(_) => {}
        }
        self.note_end(key);
        Some(ended)
    }

    /// Notes that the probe with this number has been answered at another port: whatever
    /// comes to its other ports is a further answer.
    pub fn settle(&mut self, number: u64) {
        let slots = self.slots.iter_mut().filter(|(_, slot)| slot.state.last() == Some(number));
        self.out -= slots
            .map(|(_, slot)| {
                slot.state.answered();
                usize::from(slot.out.take().is_some())
            })
            .sum::<usize>();
    }

    /// Until when a late reply may still come; none if none may.
    pub fn listens_until(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|(_, slot)| slot.state.listens_until()).max()
    }

    /// Notes a datagram that no probe was waiting for. It came to a port, from the target if
    /// `is_target`.
    pub fn stray(&mut self, key: usize, is_target: bool, now: Instant) -> Option<Stray> {
        let stray = self.slots[key].state.stray(is_target, now);
        self.note_end(key);
        stray
    }

    /// Nothing ends at any port before this time.
    pub fn first_end(&self) -> Option<Instant> {
        self.first_end
    }

    /// What has ended at a port by `now`, if anything has.
    pub fn expiry(&self, key: usize, now: Instant) -> Option<Expiry> {
        let slot = self.slots.get(key)?;
        slot.next_end().filter(|end| *end <= now)?;
        Some(if slot.out.is_some() { Expiry::Probe } else { Expiry::Quiet })
    }

    /// Ends the quiet of a port. With `--source-port` the port is free again. Otherwise it is
    /// closed: its flow can open another port. Returns whether the port is closed.
    pub fn release(&mut self, key: usize) -> bool {
        if self.policy.is_fixed {
            self.slots[key].state.wake();
        } else {
            self.slots.remove(key);
        }
        !self.policy.is_fixed
    }

    /// Finds out what ends next, after everything that has ended was dealt with.
    pub fn update_first_end(&mut self) {
        self.first_end = self.slots.iter().filter_map(|(_, slot)| slot.next_end()).min();
    }

    fn note_end(&mut self, key: usize) {
        self.first_end = earlier(self.first_end, self.slots[key].next_end());
    }
}

impl<S> Slot<S> {
    /// Whether a probe may be sent from the port.
    fn is_free(&self) -> bool {
        self.out.is_none() && self.state.quiet_until().is_none()
    }

    /// When the time of the port's probe is up, or the port has been quiet for long enough.
    fn next_end(&self) -> Option<Instant> {
        let quiet_until = || self.state.quiet_until();
        self.out.as_ref().map(|out| out.probe.ends_at()).or_else(quiet_until)
    }
}
