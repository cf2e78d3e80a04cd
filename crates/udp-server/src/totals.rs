//! What the server has done. All its event loops count; `--stats` and the end
//! print it.

use common::server::totals::{Counter, Line};

use crate::drops::KernelDrops;
use crate::guard::Cause;

/// The totals. Every datagram received was answered, or is counted under why not.
/// Datagrams that the kernel dropped were never received.
#[derive(Debug, Default)]
pub struct Totals {
    pub datagrams: Counter,
    /// Datagrams answered.
    pub exchanges: Counter,
    pub bytes_received: Counter,
    pub bytes_sent: Counter,
    /// Datagrams whose reply could not be sent, or that were there when `--count` was reached.
    pub unanswered: Counter,
    pub own_reply: Counter,
    pub low_port: Counter,
    pub unusable_source: Counter,
    pub rate: Counter,
    pub kernel: KernelDrops,
}

impl Totals {
    /// The count of datagrams that were not answered for this cause.
    pub fn dropped(&self, cause: Cause) -> &Counter {
        match cause {
            Cause::OwnReply => &self.own_reply,
            Cause::LowPort => &self.low_port,
            Cause::UnusableSource => &self.unusable_source,
            Cause::Rate => &self.rate,
        }
    }

    /// The totals as they are printed, with what the kernel is known to have
    /// dropped.
    pub fn line(&self, dropped_kernel: Option<u64>) -> Line<6> {
        Line {
            arrivals: (self.datagrams.get(), "datagram"),
            exchanges: self.exchanges.get(),
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            troubles: [
                (self.unanswered.get(), "unanswered"),
                (self.own_reply.get(), "like a server's reply"),
                (self.low_port.get(), "from low ports"),
                (self.unusable_source.get(), "from unusable sources"),
                (self.rate.get(), "over the rate"),
                (dropped_kernel.unwrap_or_default(), "or more dropped by the kernel"),
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
        let line = |dropped_kernel| totals.line(dropped_kernel).to_string();
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
