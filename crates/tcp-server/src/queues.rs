//! The order in which connections run out of time.
//!
//! All connections of a queue were given the same time, so the one that entered last is also the
//! one that runs out last: entering and leaving take O(1), and nothing is left behind.

/// What a connection is given time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// To accept the reply and to close: `--linger`, from the message.
    Answering,
    /// To send a further message of a conversation: `--read-timeout`, from the last reply.
    Idle,
    /// To send its first message: `--read-timeout`, from the accept. So this is also the order
    /// of their age.
    Silent,
}

/// The queues. A connection is known by its key, and is in one of them at most.
#[derive(Debug, Default)]
pub struct Queues {
    ends: [Ends; QUEUES.len()],
    /// The neighbours of each key.
    links: Vec<Links>,
}

/// In the order in which [`Queues::keys`] goes through them.
const QUEUES: [Queue; 3] = [Queue::Answering, Queue::Idle, Queue::Silent];

/// No key: there are never as many descriptors.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

impl Default for Ends {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

#[derive(Clone, Copy, Debug)]
struct Links {
    queue: Option<Queue>,
    before: u32,
    after: u32,
}

/// The bytes that each key takes.
pub const BYTES: usize = size_of::<Links>();

impl Queues {
    /// No connections yet. Keys below `capacity` need no further memory.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { links: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// Puts `key` into `queue`, behind all that are `no_later`. Other keys are compared from the
    /// last one on: one comparison is enough but at a stop, where the time is cut short.
    pub fn enter(&mut self, queue: Queue, key: usize, no_later: impl Fn(usize) -> bool) {
        if self.links.len() <= key {
            let free = Links { queue: None, before: NONE, after: NONE };
            self.links.resize(key + 1, free);
        }
        let mut before = self.ends[queue as usize].last;
        while before != NONE && !no_later(before as usize) {
            before = self.links[before as usize].before;
        }
        let Ends { first, .. } = self.ends[queue as usize];
        let after = if before == NONE { first } else { self.links[before as usize].after };
        self.links[key] = Links { queue: Some(queue), before, after };
        self.join(queue, before, key as u32);
        self.join(queue, key as u32, after);
    }

    /// Takes `key` out of its queue, if it is in one.
    pub fn leave(&mut self, key: usize) {
        let Some(Links { queue, before, after }) = self.links.get_mut(key) else {
            return;
        };
        let (before, after) = (*before, *after);
        if let Some(queue) = queue.take() {
            self.join(queue, before, after);
        }
    }

    /// The first one of `queue`.
    pub fn first(&self, queue: Queue) -> Option<usize> {
        let Ends { first, .. } = self.ends[queue as usize];
        (first != NONE).then_some(first as usize)
    }

    /// The first one of each queue.
    pub fn firsts(&self) -> impl Iterator<Item = usize> {
        QUEUES.into_iter().filter_map(|queue| self.first(queue))
    }

    /// All keys, one queue after the other. In this order times can be cut short without a search:
    /// those who move to [`Queue::Answering`] come last.
    pub fn keys(&self) -> impl Iterator<Item = usize> {
        let after = |&key: &usize| {
            let Links { after, .. } = self.links[key];
            (after != NONE).then_some(after as usize)
        };
        self.firsts().flat_map(move |first| std::iter::successors(Some(first), after))
    }

    /// Makes two keys of `queue` neighbours. [`NONE`] is in place of what is beyond its ends.
    fn join(&mut self, queue: Queue, before: u32, after: u32) {
        let ends = &mut self.ends[queue as usize];
        *if before == NONE { &mut ends.first } else { &mut self.links[before as usize].after } =
            after;
        *if after == NONE { &mut ends.last } else { &mut self.links[after as usize].before } =
            before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever enters and leaves: each queue is sorted, and holds who entered it last.
        #[test]
        fn queues_are_sorted_and_lose_nobody(
            moves in prop::collection::vec((0..3usize, 0..12usize, 0..20u32, any::<bool>()), 0..80),
        ) {
            let mut queues = Queues::default();
            let mut model: [Option<(usize, u32)>; 12] = [None; 12];
            for (queue, key, time, enters) in moves {
                queues.leave(key);
                model[key] = None;
                if enters {
                    let times = model;
                    queues.enter(QUEUES[queue], key, |other| times[other].unwrap().1 <= time);
                    model[key] = Some((queue, time));
                }
                prop_assert_eq!(queues.links.get(key).and_then(|links| links.queue), enters.then_some(QUEUES[queue]));
                let keys: Vec<usize> = queues.keys().collect();
                let found: Vec<_> = keys.iter().map(|&key| model[key].unwrap()).collect();
                prop_assert!(found.is_sorted());
                prop_assert_eq!(keys.len(), model.iter().flatten().count());
                for (queue, name) in QUEUES.into_iter().enumerate() {
                    let first = found.iter().position(|&(of, _)| of == queue).map(|at| keys[at]);
                    prop_assert_eq!(queues.first(name), first);
                }
            }
        }
    }

    #[test]
    fn who_enters_with_the_same_time_is_behind() {
        let mut queues = Queues::with_capacity(0);
        (0..5).for_each(|key| queues.enter(Queue::Silent, key, |_| true));
        queues.leave(2);
        queues.leave(7);
        queues.enter(Queue::Silent, 2, |_| true);
        assert_eq!(queues.keys().collect::<Vec<_>>(), [0, 1, 3, 4, 2]);
    }
}
