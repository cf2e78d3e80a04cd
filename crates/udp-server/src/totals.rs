//! What the server has done: counted by all its loops, told by `--stats` and
//! at the end.

use std::fmt;

use common::counter::Counter;

use crate::drops::KernelDrops;
use crate::guard::Cause;

/// The totals. Every datagram received was answered, or is counted under what
/// became of it; those that the kernel dropped never were received.
#[derive(Debug, Default)]
pub struct Totals {
    pub datagrams: Counter,
    /// Datagrams answered.
    pub exchanges: Counter,
    pub bytes_received: Counter,
    pub bytes_sent: Counter,
    /// The reply could not be sent.
    pub unanswered: Counter,
    pub own_reply: Counter,
    pub low_port: Counter,
    pub unusable_source: Counter,
    pub rate: Counter,
    pub kernel: KernelDrops,
}

impl Totals {
    /// What is not answered for this cause.
    pub fn dropped(&self, cause: Cause) -> &Counter {
        match cause {
            Cause::OwnReply => &self.own_reply,
            Cause::LowPort => &self.low_port,
            Cause::UnusableSource => &self.unusable_source,
            Cause::Rate => &self.rate,
        }
    }
}

impl fmt::Display for Totals {
    /// What always is of interest, and then what did not go well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n| if n == 1 { "" } else { "s" };
        let (datagrams, exchanges) = (self.datagrams.get(), self.exchanges.get());
        write!(
            f,
            "{datagrams} datagram{}, {exchanges} exchange{}, {} bytes in, {} out",
            plural(datagrams),
            plural(exchanges),
            self.bytes_received.get(),
            self.bytes_sent.get(),
        )?;
        let mut separator = "; ";
        for (count, what) in [
            (self.unanswered.get(), "could not be answered"),
            (self.own_reply.get(), "like a server's reply"),
            (self.low_port.get(), "from low ports"),
            (self.unusable_source.get(), "from unusable sources"),
            (self.rate.get(), "over the rate"),
            (self.kernel.get().unwrap_or_default(), "dropped by the kernel"),
        ] {
            if count > 0 {
                write!(f, "{separator}{count} {what}")?;
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
        assert_eq!(totals.to_string(), "0 datagrams, 0 exchanges, 0 bytes in, 0 out");
        totals.datagrams.add(3);
        totals.exchanges.add(1);
        for cause in [Cause::OwnReply, Cause::Rate] {
            totals.dropped(cause).add(1);
        }
        assert_eq!(
            totals.to_string(),
            "3 datagrams, 1 exchange, 0 bytes in, 0 out; 1 like a server's reply, 1 over the rate"
        );
    }
}
