//! What was sent from each port, and what came back.

use super::Ports;
use crate::account::Account;

impl<S> Ports<S> {
    /// What was sent from a port, and what came back.
    pub fn account(&self, key: usize) -> Option<Account> {
        self.slots.get(key).map(|slot| slot.state.account())
    }

    /// Each port that is open, and what was sent from there.
    pub fn accounts(&self) -> impl Iterator<Item = (&S, Account)> {
        self.slots.iter().map(|(_, slot)| (&slot.socket, slot.state.account()))
    }
}
