//! The connections there are, and the order in which their time runs out.

use std::collections::BTreeSet;
use std::time::Instant;

use common::server::peer::Peer;
use mio::net::TcpStream;
use slab::Slab;

use crate::connection::Connection;
use crate::sources::Place;

/// All connections, by key. Each has exactly one deadline, so setting one
/// costs O(log n), and nothing is left behind by those that end.
#[derive(Debug, Default)]
pub struct Connections {
    slots: Slab<Slot>,
    /// The deadlines of those that have said nothing yet. All are the same
    /// time from their accept, so they are in the order of their age too.
    silent: BTreeSet<(Instant, usize)>,
    /// The deadlines of the others.
    heard: BTreeSet<(Instant, usize)>,
}

/// A connection and what the server knows about it.
#[derive(Debug)]
pub struct Slot {
    pub connection: Connection<TcpStream>,
    pub peer: Peer,
    /// Whether it is registered for writing too, which it rarely has to be.
    pub awaits_writing: bool,
    /// Held for as long as the connection is.
    _place: Place,
    deadline: Deadline,
}

/// Where a connection's deadline is to be found.
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
    /// The key that the next [`Connections::insert`] returns.
    pub fn next_key(&self) -> usize {
        self.slots.vacant_key()
    }

    pub fn insert(&mut self, connection: Connection<TcpStream>, peer: Peer, place: Place) {
        let deadline = Deadline::of(&connection);
        let slot = Slot { connection, peer, awaits_writing: false, _place: place, deadline };
        let key = self.slots.insert(slot);
        self.order(deadline).insert((deadline.at, key));
    }

    pub fn get_mut(&mut self, key: usize) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    pub fn remove(&mut self, key: usize) -> Option<Slot> {
        let slot = self.slots.try_remove(key)?;
        self.order(slot.deadline).remove(&(slot.deadline.at, key));
        Some(slot)
    }

    /// Takes up the deadline that the connection has now.
    pub fn reschedule(&mut self, key: usize) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let (old, new) = (slot.deadline, Deadline::of(&slot.connection));
        if old != new {
            slot.deadline = new;
            self.order(old).remove(&(old.at, key));
            self.order(new).insert((new.at, key));
        }
    }

    fn order(&mut self, deadline: Deadline) -> &mut BTreeSet<(Instant, usize)> {
        if deadline.is_silent { &mut self.silent } else { &mut self.heard }
    }

    /// The connection whose time runs out first, and when.
    fn earliest(&self) -> Option<(Instant, usize)> {
        self.silent.first().into_iter().chain(self.heard.first()).min().copied()
    }

    /// When the next connection's time runs out.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.earliest().map(|(at, _)| at)
    }

    /// A connection whose time has run out.
    pub fn expired(&self, now: Instant) -> Option<usize> {
        self.earliest().filter(|&(at, _)| at <= now).map(|(_, key)| key)
    }

    /// The oldest of those that have said nothing yet.
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
