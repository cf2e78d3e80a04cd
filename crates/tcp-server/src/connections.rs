//! The connections there are, and the order in which their time runs out.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use slab::Slab;

use crate::connection::Connection;

/// All connections, by key. Each has exactly one deadline in `deadlines`, so
/// setting one costs O(log n), and nothing is left behind by those that end.
#[derive(Debug, Default)]
pub struct Connections {
    slots: Slab<Slot>,
    deadlines: BTreeSet<(Instant, usize)>,
}

/// A connection and what the server knows about it.
#[derive(Debug)]
pub struct Slot {
    pub connection: Connection<TcpStream>,
    pub peer: SocketAddr,
    /// Whether it is registered for writing too, which it rarely has to be.
    pub awaits_writing: bool,
    deadline: Instant,
}

impl Connections {
    /// The key that the next [`Connections::insert`] returns.
    pub fn next_key(&self) -> usize {
        self.slots.vacant_key()
    }

    pub fn insert(&mut self, connection: Connection<TcpStream>, peer: SocketAddr) -> usize {
        let deadline = connection.deadline();
        let key = self.slots.insert(Slot { connection, peer, awaits_writing: false, deadline });
        self.deadlines.insert((deadline, key));
        key
    }

    pub fn get_mut(&mut self, key: usize) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    pub fn remove(&mut self, key: usize) -> Option<Slot> {
        let slot = self.slots.try_remove(key)?;
        self.deadlines.remove(&(slot.deadline, key));
        Some(slot)
    }

    /// Takes up the deadline that the connection has now.
    pub fn reschedule(&mut self, key: usize) {
        if let Some(slot) = self.slots.get_mut(key)
            && slot.deadline != slot.connection.deadline()
        {
            self.deadlines.remove(&(slot.deadline, key));
            slot.deadline = slot.connection.deadline();
            self.deadlines.insert((slot.deadline, key));
        }
    }

    /// When the next connection's time runs out.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// A connection whose time has run out.
    pub fn expired(&self, now: Instant) -> Option<usize> {
        let &(deadline, key) = self.deadlines.first()?;
        (deadline <= now).then_some(key)
    }

    pub fn keys(&self) -> Vec<usize> {
        self.slots.iter().map(|(key, _)| key).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
