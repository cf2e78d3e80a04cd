//! What a server counts: numbers that all its event loops add to, and the line in
//! which they are printed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count of events, or of bytes. The memory order is relaxed: no count is ever
/// read to learn something about another one.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Adds one, and returns the new count.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The totals in one line: `5 connections, 2 exchanges, 9 bytes in, 8 out; 1 lost`.
#[derive(Clone, Copy, Debug)]
pub struct Line<const N: usize> {
    /// How many connections or datagrams came, and the singular of the word.
    pub arrivals: (u64, &'static str),
    /// How many messages were answered.
    pub exchanges: u64,
    /// Bytes of the messages.
    pub bytes_received: u64,
    /// Bytes of the replies.
    pub bytes_sent: u64,
    /// What did not go well: how often, and in words. Zeros are not printed.
    pub troubles: [(u64, &'static str); N],
}

impl<const N: usize> fmt::Display for Line<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n| if n == 1 { "" } else { "s" };
        let Self { arrivals: (arrivals, what), exchanges, bytes_received, bytes_sent, .. } = *self;
        write!(
            f,
            "{arrivals} {what}{}, {exchanges} exchange{}, {bytes_received} bytes in, {bytes_sent} out",
            plural(arrivals),
            plural(exchanges),
        )?;
        let mut separator = "; ";
        for (count, trouble) in self.troubles.into_iter().filter(|&(count, _)| count > 0) {
            write!(f, "{separator}{count} {trouble}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_troubles_that_happened_are_printed() {
        let mut line = Line {
            arrivals: (1, "connection"),
            exchanges: 0,
            bytes_received: 0,
            bytes_sent: 0,
            troubles: [(0, "refused"), (0, "lost"), (0, "silent")],
        };
        assert_eq!(line.to_string(), "1 connection, 0 exchanges, 0 bytes in, 0 out");
        line.arrivals.0 = 5;
        line.exchanges = 1;
        line.bytes_received = 9;
        line.bytes_sent = 8;
        line.troubles = [(1, "refused"), (0, "lost"), (2, "silent")];
        assert_eq!(
            line.to_string(),
            "5 connections, 1 exchange, 9 bytes in, 8 out; 1 refused, 2 silent"
        );
    }
}
