//! What a process inherits of signals: some are ignored, or blocked, by whoever started it.

use std::fs;

use nix::sys::signal::{SigSet, Signal};

/// Makes the process independent of the signal mask that it inherited. Each `main` calls
/// this first, because a thread inherits the mask of the thread that starts it.
pub fn set_up() {
    // Without these calls the mask stays as it was inherited, which is seldom wrong. So if
    // a sandbox refuses them, the program goes on.
    let of = |signals: &[Signal]| signals.iter().copied().collect::<SigSet>();
    // Somebody who blocks signals around fork(2) may forget to unblock them in the child.
    let _ = of(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]).thread_unblock();
    // At RLIMIT_FSIZE, a write would end the process by this signal. If the signal is
    // blocked, the write fails with EFBIG, like one to a full disk.
    let _ = of(&[Signal::SIGXFSZ]).thread_block();
}

/// Whether the process ignores `signal`. `None` if the system does not say, because there is
/// no `/proc`: sigaction(2), which would also say it, can only be called by unsafe code.
#[must_use]
pub fn is_ignored(signal: Signal) -> Option<bool> {
    is_in_ignored(&fs::read_to_string("/proc/self/status").ok()?, signal)
}

/// Adds `signals` to `set`, but for those that are ignored: none of them if the system does not say.
pub fn add_not_ignored(set: &mut SigSet, signals: &[Signal]) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for signal in signals {
        if is_in_ignored(&status, *signal) == Some(false) {
            set.add(*signal);
        }
    }
}

/// Whether `signal` is in `SigIgn` of this `/proc/PID/status`, proc(5).
fn is_in_ignored(status: &str, signal: Signal) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & (1 << (signal as u32 - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "Name:\tsh\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        let is_ignored = |signal| is_in_ignored(status, signal);
        assert_eq!(is_ignored(Signal::SIGHUP), Some(true));
        assert_eq!(is_ignored(Signal::SIGPIPE), Some(true));
        assert_eq!(is_ignored(Signal::SIGINT), Some(false));
        for unknown in ["", "SigIgn:", "SigIgn:\tnone\n", "Name:\tSigIgn: 1\n"] {
            assert_eq!(is_in_ignored(unknown, Signal::SIGHUP), None, "{unknown:?}");
        }
    }
}
