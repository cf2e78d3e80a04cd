//! What was sent from each port, and what came back.

use super::Ports;
use crate::account::Account;

impl<S> Ports<S> {
    /// Each port that is open, and what was sent from there.
    pub fn accounts(&self) -> impl Iterator<Item = (&S, Account)> {
        self.slots.iter().map(|(_, slot)| (&slot.socket, slot.state.account()))
    }
}
