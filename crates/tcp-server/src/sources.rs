//! Limits the connections from each source: `--max-per-source`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::server::peer::{Peer, Source};

/// How many connections each source has. It never holds more sources than there are
/// connections. The event loops share it, for the kernel spreads the connections of one
/// source over all of them.
#[derive(Debug)]
pub struct Sources {
    /// How many connections one source may have; zero means no limit.
    most: usize,
    present: Mutex<HashMap<Source, usize>>,
}

/// A connection's place among those of its source. Dropping it frees the place. Where there is no
/// limit it is empty, and small.
#[derive(Debug)]
pub struct Place(Option<Box<(Arc<Sources>, Source)>>);

impl Sources {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, present: Mutex::default() })
    }

    /// How many connections one source may have.
    pub fn most(&self) -> usize {
        self.most
    }

    /// A place for a connection from `peer`, unless its source has as many as it may.
    pub fn enter(self: &Arc<Self>, peer: &Peer) -> Option<Place> {
        if self.most == 0 {
            return Some(Place(None));
        }
        let source = peer.source();
        let mut present = self.lock();
        let connections = present.entry(source).or_default();
        if *connections >= self.most {
            return None;
        }
        *connections += 1;
        Some(Place(Some(Box::new((Arc::clone(self), source)))))
    }

    /// Nothing panics while it holds the lock, so a poisoned lock guards sound data.
    fn lock(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((sources, source)) = self.0.as_deref() else {
            return;
        };
        if let Entry::Occupied(mut connections) = sources.lock().entry(*source) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn peer(ip: &str) -> Peer {
        Peer::new(SocketAddr::new(ip.parse().unwrap(), 7000))
    }

    #[test]
    fn each_source_has_a_number_of_places() {
        let sources = Sources::new(2);
        let first = sources.enter(&peer("2001:db8::1")).unwrap();
        let _second = sources.enter(&peer("2001:db8::2")).unwrap();
        assert!(sources.enter(&peer("2001:db8::3")).is_none(), "the same /64");
        assert!(sources.enter(&peer("192.0.2.1")).is_some());
        drop(first);
        assert!(sources.enter(&peer("2001:db8::3")).is_some());
    }

    #[test]
    fn sources_without_connections_take_no_memory() {
        let sources = Sources::new(1);
        drop(sources.enter(&peer("192.0.2.1")));
        assert!(sources.lock().is_empty());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let sources = Sources::new(0);
        let _places: Vec<_> =
            (0..100).map(|_| sources.enter(&peer("192.0.2.1")).unwrap()).collect();
        assert!(sources.lock().is_empty());
    }
}
