//! All connections of an event loop, in the order of their deadlines.

use std::iter;
use std::mem;
use std::time::Instant;

use common::server::memory;
use common::server::peer::Peer;
use mio::net::TcpStream;
use slab::Slab;

use crate::connection::Connection;
use crate::limits::{BESIDE_SLOT, USUAL};
use crate::queues::{self, Queue, Queues};
use crate::sources::Place;

/// All connections, by key. Each has exactly one deadline, and is in one queue.
#[derive(Debug)]
pub struct Connections {
    slots: Slab<Slot>,
    queues: Queues,
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
    /// Whether the connection is on the list of those that a turn serves.
    pub is_on_list: bool,
    /// Whether the peer has had its time to close: [`crate::departures`].
    pub has_waited: bool,
    /// Held for as long as the connection lives.
    _place: Place,
}

impl Slot {
    /// Puts the connection, which has this `key`, on `list`, once.
    pub fn put_on_list(&mut self, key: usize, list: &mut Vec<usize>) {
        if !mem::replace(&mut self.is_on_list, true) {
            list.push(key);
        }
    }
}

impl Connections {
    /// No connections yet, of `room` at most. The table of as many as are usual is made at once:
    /// it takes address space, but no memory until it is used.
    pub fn new(room: usize) -> Self {
        let halves = iter::successors(Some(room.min(USUAL)), |capacity| Some(capacity / 2));
        // Others need some of it, too.
        let capacity = halves.take_while(|&n| n > 0).find(|&n| memory::can_map(2 * table(n)));
        let capacity = capacity.unwrap_or_default();
        let slots = Slab::with_capacity(capacity);
        Self { slots, queues: Queues::with_capacity(capacity) }
    }

    /// Whether there is memory for so many `more` connections, which are then accepted.
    pub fn has_memory(&self, more: usize) -> bool {
        let (len, capacity) = (self.slots.len() + more, self.slots.capacity());
        // A full table grows to twice its size, and the old one is kept meanwhile.
        let grown = if len <= capacity { 0 } else { table(len.max(2 * capacity)) };
        memory::is_left(grown + more * BESIDE_SLOT)
    }

    /// Adds a connection, and returns its key.
    pub fn insert(&mut self, connection: Connection<TcpStream>, peer: Peer, place: Place) -> usize {
        let slot = Slot {
            connection,
            peer,
            counts: false,
            is_registered_for_writing: false,
            is_on_list: false,
            has_waited: false,
            _place: place,
        };
        let key = self.slots.insert(slot);
        self.reschedule(key);
        key
    }

    pub fn get_mut(&mut self, key: usize) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    pub fn remove(&mut self, key: usize) -> Option<Slot> {
        self.queues.leave(key);
        self.slots.try_remove(key)
    }

    /// Moves the connection to the place in the queues that it has now.
    pub fn reschedule(&mut self, key: usize) {
        let Some(Slot { connection, .. }) = self.slots.get(key) else {
            return;
        };
        let queue = match () {
            () if connection.is_silent() => Queue::Silent,
            () if connection.is_idle() => Queue::Idle,
            () => Queue::Answering,
        };
        let deadline = connection.deadline();
        self.queues.leave(key);
        self.queues.enter(queue, key, |other| self.slots[other].connection.deadline() <= deadline);
    }

    /// The earliest deadline, and the connection that has it.
    fn earliest(&self) -> Option<(Instant, usize)> {
        self.queues.firsts().map(|key| (self.slots[key].connection.deadline(), key)).min()
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
        self.queues.first(Queue::Silent)
    }

    /// All keys, in the order of [`Queues::keys`].
    pub fn keys(&self) -> Vec<usize> {
        self.queues.keys().collect()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

/// The bytes of a table of `capacity` connections, and of what else they need.
fn table(capacity: usize) -> usize {
    capacity * (size_of::<Slot>() + queues::BYTES + BESIDE_SLOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10,000 silent connections are to take little more than a megabyte.
    #[test]
    fn a_slot_is_small() {
        // Without optimisation mio's sockets know more.
        assert!(size_of::<Slot>() <= 112 + size_of::<TcpStream>(), "{}", size_of::<Slot>());
    }
}
