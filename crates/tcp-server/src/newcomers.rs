//! The newcomers: accepted connections for which there is no place yet. They wait for a
//! moment, because another connection may just have ended whose event is still to come.

use std::mem;
use std::time::Instant;

use common::server::peer::Peer;

use crate::limits::{Limit, MOST_NEWCOMERS};

/// An accepted connection for which there is no place yet.
#[derive(Debug)]
pub struct Newcomer<S> {
    pub stream: S,
    pub peer: Peer,
    /// The limit that is reached.
    pub limit: Limit,
    /// When the newcomer is refused if there still is no place.
    pub until: Instant,
}

/// The newcomers of one event loop, the oldest first: [`MOST_NEWCOMERS`] at most.
#[derive(Debug)]
pub struct Newcomers<S>(Vec<Newcomer<S>>);

impl<S> Newcomers<S> {
    /// No newcomers.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Lets `newcomer` wait. When full, returns the newcomer that is to be refused: the
    /// oldest one of the same source, else the oldest of all. So a source that connects too
    /// often takes the places of its own newcomers first.
    pub fn push(&mut self, newcomer: Newcomer<S>) -> Option<Newcomer<S>> {
        let refused = (self.0.len() >= MOST_NEWCOMERS).then(|| {
            let source = newcomer.peer.source();
            let same = self.0.iter().position(|other| other.peer.source() == source);
            self.0.remove(same.unwrap_or(0))
        });
        self.0.push(newcomer);
        refused
    }

    /// Takes all newcomers. Those that go on waiting are pushed again, in the same order.
    pub fn take(&mut self) -> Vec<Newcomer<S>> {
        mem::take(&mut self.0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the first newcomer has waited for long enough.
    pub fn first_deadline(&self) -> Option<Instant> {
        self.0.first().map(|newcomer| newcomer.until)
    }

    /// Ends the wait of every newcomer at `now`.
    pub fn expire_all(&mut self, now: Instant) {
        self.0.iter_mut().for_each(|newcomer| newcomer.until = now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_connects_too_often_takes_its_own_places() {
        let until = Instant::now();
        let newcomer = |number: usize, ip: &str| Newcomer {
            stream: number,
            peer: Peer::new(format!("{ip}:7000").parse().unwrap()),
            limit: Limit::PerSource { most: 1 },
            until,
        };
        let mut newcomers = Newcomers::new();
        assert!(newcomers.push(newcomer(0, "192.0.2.1")).is_none());
        for number in 1..MOST_NEWCOMERS {
            assert!(newcomers.push(newcomer(number, "192.0.2.9")).is_none());
        }
        let refused = |newcomer: Option<Newcomer<usize>>| newcomer.unwrap().stream;
        assert_eq!(refused(newcomers.push(newcomer(100, "192.0.2.9"))), 1, "its own oldest");
        assert_eq!(refused(newcomers.push(newcomer(101, "192.0.2.2"))), 0, "the oldest of all");
        assert_eq!(newcomers.take().len(), MOST_NEWCOMERS);
    }
}
