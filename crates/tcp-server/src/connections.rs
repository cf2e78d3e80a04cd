//! All connections of an event loop, in the order of their deadlines.

use std::collections::BTreeSet;
use std::iter;
use std::time::Instant;

use common::server::memory;
use common::server::peer::Peer;
use mio::net::TcpStream;
use slab::Slab;

use crate::connection::Connection;
use crate::limits::{BESIDE_SLOT, USUAL};
use crate::sources::Place;

/// All connections, by key. Each has exactly one deadline. Changing it takes O(log n),
/// and a connection that ends leaves nothing behind.
#[derive(Debug)]
pub struct Connections {
    slots: Slab<Slot>,
    /// The deadlines of silent connections, which have received no message yet. Each is
    /// `--read-timeout` after the accept, so this is also the order of their age.
    silent: BTreeSet<(Instant, usize)>,
    /// The deadlines of the others.
    others: BTreeSet<(Instant, usize)>,
}

/// A connection, and what the event loop knows about it.
#[derive(Debug)]
pub struct Slot {
    pub connection: Connection<TcpStream>,
    pub peer: Peer,
    /// Whether the message that is being answered counts for `--count`.
    pub counts: bool,
    /// Rarely true: the kernel usually takes the whole reply at once.
    pub is_registered_for_writing: bool,
    /// Held for as long as the connection lives.
    _place: Place,
    deadline: Deadline,
}

/// A connection's deadline, and in which of the two orders it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Deadline {
    at: Instant,
    is_silent: bool,
}

impl Deadline {
    fn of(connection: &Connection<TcpStream>) -> Self {
        Self { at: connection.deadline(), is_silent: connection.is_silent() }
    }
}

impl Connections {
    /// No connections yet, of `room` at most. The table of as many as are usual is made at once:
    /// it takes address space, but no memory until it is used.
    pub fn new(room: usize) -> Self {
        let halves = iter::successors(Some(room.min(USUAL)), |capacity| Some(capacity / 2));
        // Others need some of it, too.
        let capacity = halves.take_while(|&n| n > 0).find(|&n| memory::is_left(2 * table(n)));
        let slots = Slab::with_capacity(capacity.unwrap_or_default());
        Self { slots, silent: BTreeSet::new(), others: BTreeSet::new() }
    }

    /// The key that the next [`Connections::insert`] returns.
    pub fn next_key(&self) -> usize {
        self.slots.vacant_key()
    }

    /// Whether there is memory for another connection, which is then accepted.
    pub fn has_memory(&self) -> bool {
        let (len, capacity) = (self.slots.len(), self.slots.capacity());
        // A full table grows to twice its size, and the old one is kept meanwhile.
        memory::is_left(if len < capacity { 0 } else { table(2 * capacity.max(1)) })
    }

    pub fn insert(&mut self, connection: Connection<TcpStream>, peer: Peer, place: Place) {
        let deadline = Deadline::of(&connection);
        let slot = Slot {
            connection,
            peer,
            counts: false,
            is_registered_for_writing: false,
            _place: place,
            deadline,
        };
        let key = self.slots.insert(slot);
        self.deadlines(deadline).insert((deadline.at, key));
    }

    pub fn get_mut(&mut self, key: usize) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    pub fn remove(&mut self, key: usize) -> Option<Slot> {
        let slot = self.slots.try_remove(key)?;
        self.deadlines(slot.deadline).remove(&(slot.deadline.at, key));
        Some(slot)
    }

    /// Moves the connection to the deadline that it has now.
    pub fn reschedule(&mut self, key: usize) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let (old, new) = (slot.deadline, Deadline::of(&slot.connection));
        if old != new {
            slot.deadline = new;
            self.deadlines(old).remove(&(old.at, key));
            self.deadlines(new).insert((new.at, key));
        }
    }

    fn deadlines(&mut self, deadline: Deadline) -> &mut BTreeSet<(Instant, usize)> {
        if deadline.is_silent { &mut self.silent } else { &mut self.others }
    }

    /// The earliest deadline, and the connection that has it.
    fn earliest(&self) -> Option<(Instant, usize)> {
        self.silent.first().into_iter().chain(self.others.first()).min().copied()
    }

    /// The earliest deadline of all connections.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.earliest().map(|(at, _)| at)
    }

    /// A connection whose deadline has passed.
    pub fn expired(&self, now: Instant) -> Option<usize> {
        self.earliest().filter(|&(at, _)| at <= now).map(|(_, key)| key)
    }

    /// The oldest silent connection.
    pub fn oldest_silent(&self) -> Option<usize> {
        self.silent.first().map(|&(_, key)| key)
    }

    pub fn keys(&self) -> Vec<usize> {
        self.slots.iter().map(|(key, _)| key).collect()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

/// The bytes of a table of `capacity` connections, and of what else they need.
fn table(capacity: usize) -> usize {
    capacity * (size_of::<Slot>() + BESIDE_SLOT)
}
