//! Notifies the service manager (`Type=notify`), as sd_notify(3) does. Does nothing
//! unless `NOTIFY_SOCKET` is in the environment.

use sd_notify::NotifyState;

use crate::exit::reason;

/// Notifies that the server listens.
pub fn ready() {
    notify(NotifyState::Ready);
}

/// Notifies that the server has been asked to stop and finishes what is under way.
pub fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        let reason = reason(&error);
        log::warn!(
            event = "cannot_notify", reason = reason.as_str();
            "[!] Cannot tell the service manager: {reason}"
        );
    }
}
