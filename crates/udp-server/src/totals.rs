//! What the server has done: counted by all its loops, told by `--stats` and
//! at the end.

use std::fmt;

use common::server::totals::Counter;

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

/// The totals in a line, with what the kernel is known to have dropped.
pub struct Line<'a> {
    pub totals: &'a Totals,
    pub dropped_kernel: Option<u64>,
}

impl fmt::Display for Line<'_> {
    /// What always is of interest, and then what did not go well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { totals, dropped_kernel } = self;
        let plural = |n| if n == 1 { "" } else { "s" };
        let (datagrams, exchanges) = (totals.datagrams.get(), totals.exchanges.get());
        write!(
            f,
            "{datagrams} datagram{}, {exchanges} exchange{}, {} bytes in, {} out",
            plural(datagrams),
            plural(exchanges),
            totals.bytes_received.get(),
            totals.bytes_sent.get(),
        )?;
        let mut separator = "; ";
        for (count, what) in [
            (totals.unanswered.get(), "could not be answered"),
            (totals.own_reply.get(), "like a server's reply"),
            (totals.low_port.get(), "from low ports"),
            (totals.unusable_source.get(), "from unusable sources"),
            (totals.rate.get(), "over the rate"),
            (dropped_kernel.unwrap_or_default(), "or more dropped by the kernel"),
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
        let line = |dropped_kernel| Line { totals: &totals, dropped_kernel }.to_string();
        assert_eq!(line(None), "0 datagrams, 0 exchanges, 0 bytes in, 0 out");
        totals.datagrams.add(3);
        totals.exchanges.add(1);
        for cause in [Cause::OwnReply, Cause::Rate] {
            totals.dropped(cause).add(1);
        }
        assert_eq!(
            line(Some(7)),
            "3 datagrams, 1 exchange, 0 bytes in, 0 out; \
             1 like a server's reply, 1 over the rate, 7 or more dropped by the kernel"
        );
    }
}
