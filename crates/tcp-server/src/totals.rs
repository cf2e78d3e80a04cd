//! What the server has done: counted by all its loops, told by `--stats` and
//! at the end.

use std::fmt;

use common::server::totals::Counter;

/// The totals. Every connection that is over was answered, or is counted under
/// what became of it.
#[derive(Debug, Default)]
pub struct Totals {
    /// Connections accepted, those refused later among them.
    pub connections: Counter,
    /// Messages answered.
    pub exchanges: Counter,
    /// Bytes of the messages. What came after one and was discarded is none.
    pub bytes_received: Counter,
    /// Bytes of the replies.
    pub bytes_sent: Counter,
    /// Closed at once: no room, or too many from one source.
    pub refused: Counter,
    /// Said nothing for `--read-timeout`, in a conversation after a reply too.
    pub timed_out: Counter,
    /// Said nothing, and gave way to another one.
    pub evicted: Counter,
    /// Failed before the reply was sent.
    pub lost: Counter,
    /// Had said nothing when the peer ended a conversation, or the server
    /// stopped.
    pub silent: Counter,
}

impl fmt::Display for Totals {
    /// What always is of interest, and then what did not go well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n| if n == 1 { "" } else { "s" };
        let (connections, exchanges) = (self.connections.get(), self.exchanges.get());
        write!(
            f,
            "{connections} connection{}, {exchanges} exchange{}, {} bytes in, {} out",
            plural(connections),
            plural(exchanges),
            self.bytes_received.get(),
            self.bytes_sent.get(),
        )?;
        let mut separator = "; ";
        for (count, what) in [
            (&self.refused, "refused"),
            (&self.timed_out, "timed out"),
            (&self.evicted, "evicted"),
            (&self.lost, "lost"),
            (&self.silent, "silent"),
        ] {
            if count.get() > 0 {
                write!(f, "{separator}{} {what}", count.get())?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_told_of() {
        let totals = Totals::default();
        totals.connections.add(1);
        assert_eq!(totals.to_string(), "1 connection, 0 exchanges, 0 bytes in, 0 out");
        totals.connections.add(4);
        totals.exchanges.add(2);
        totals.evicted.add(1);
        totals.silent.add(2);
        assert_eq!(
            totals.to_string(),
            "5 connections, 2 exchanges, 0 bytes in, 0 out; 1 evicted, 2 silent"
        );
    }
}
