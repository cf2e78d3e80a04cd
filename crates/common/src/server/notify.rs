//! What the service manager is told (`Type=notify`): sd_notify(3).
//!
//! Without `NOTIFY_SOCKET` in the environment nothing happens.

use sd_notify::NotifyState;

use crate::exit::reason;

/// The server listens.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The server has been asked to stop, and ends what is under way.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        let reason = reason(&error);
        log::warn!(
            event = "cannot_notify", reason = reason.as_str();
            "[!] Cannot tell the service manager: {reason}"
        );
    }
}
