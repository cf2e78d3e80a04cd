//! A port that is taken out, because its probe is examined.

use std::net::SocketAddr;
use std::time::Duration;

use super::Ports;
use crate::ports::slot::Slot;

impl<S> Ports<S> {
    /// Takes out the port from which probe `number` was sent to `address`, if it has ended and is
    /// the last one sent from there: other things leave from it from now on, and their answers are
    /// no strays. With `--source-port` its flow has no other one, and sends nothing until
    /// [`Ports::give_back`].
    pub fn lend(&mut self, number: u64, address: SocketAddr) -> Option<S> {
        let is_that = |slot: &Slot<S>| {
            slot.address == address && slot.out.is_none() && slot.state.last() == Some(number)
        };
        let (key, flow) = self
            .slots
            .iter()
            .find(|(_, slot)| is_that(slot))
            .map(|(key, slot)| (key, slot.flow))?;
        self.lent = Some(flow);
        Some(self.close(key).0)
    }

    /// How long a port is quiet that has to be, at least.
    pub fn quiet(&self) -> Duration {
        self.policy.quiet
    }

    /// Notes that the port that was taken out is closed.
    pub fn give_back(&mut self) {
        self.lent = None;
    }
}
