//! What the server has done. Each of its event loops counts for itself; `--stats` and the end
//! print the sums.

use common::server::totals::{Counter, Line};

/// The totals. Every connection that is over was answered, or is counted under
/// what happened to it instead.
///
/// Those of two event loops share no cache line, and no pair of lines that a processor fetches
/// together: otherwise each count would wait for the other loop's processor.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Totals {
    /// Connections accepted, including those refused later.
    pub connections: Counter,
    /// Messages answered.
    pub exchanges: Counter,
    /// Bytes of the messages, without what came after a message and was discarded.
    pub bytes_received: Counter,
    /// Bytes of the replies.
    pub bytes_sent: Counter,
    /// Closed unanswered: no room, or too many connections from one source.
    pub refused: Counter,
    /// Sent nothing for `--read-timeout`; in a conversation, also after a reply.
    pub timed_out: Counter,
    /// Had sent nothing, and were closed to make room for another connection.
    pub evicted: Counter,
    /// Failed before the reply was sent.
    pub lost: Counter,
    /// Messages that were there when `--count` was reached, and were not answered.
    pub unanswered: Counter,
    /// Had sent nothing when the peer ended a conversation or the server stopped.
    pub silent: Counter,
}

impl Totals {
    /// The sums of those of `loops`.
    pub fn sum<'a>(loops: impl IntoIterator<Item = &'a Self>) -> Self {
        let sum = Self::default();
        for totals in loops {
            for (sum, counter) in sum.counters().into_iter().zip(totals.counters()) {
                sum.add(counter.get());
            }
        }
        sum
    }

    fn counters(&self) -> [&Counter; 10] {
        let Self {
            connections,
            exchanges,
            bytes_received,
            bytes_sent,
            refused,
            timed_out,
            evicted,
            lost,
            unanswered,
            silent,
        } = self;
        [
            connections,
            exchanges,
            bytes_received,
            bytes_sent,
            refused,
            timed_out,
            evicted,
            lost,
            unanswered,
            silent,
        ]
    }

    /// The totals as they are printed.
    pub fn line(&self) -> Line<6> {
        Line {
            arrivals: (self.connections.get(), "connection"),
            exchanges: self.exchanges.get(),
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            troubles: [
                (self.refused.get(), "refused"),
                (self.timed_out.get(), "timed out"),
                (self.evicted.get(), "evicted"),
                (self.lost.get(), "lost"),
                (self.unanswered.get(), "unanswered"),
                (self.silent.get(), "silent"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_printed() {
        let totals = Totals::default();
        totals.connections.add(1);
        assert_eq!(totals.line().to_string(), "1 connection, 0 exchanges, 0 bytes in, 0 out");
        totals.connections.add(4);
        totals.exchanges.add(2);
        totals.evicted.add(1);
        totals.silent.add(2);
        assert_eq!(
            Totals::sum([&totals, &Totals::default()]).line().to_string(),
            "5 connections, 2 exchanges, 0 bytes in, 0 out; 1 evicted, 2 silent"
        );
        let twice = Totals::sum([&totals, &totals]).line().to_string();
        assert_eq!(twice, "10 connections, 4 exchanges, 0 bytes in, 0 out; 2 evicted, 4 silent");
    }
}
