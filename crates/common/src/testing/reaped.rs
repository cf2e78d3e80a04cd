//! A process that a test has started, and that does not outlive it.

use std::process::Child;
use std::thread;
use std::time::Instant;

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::PATIENCE;

/// A child that is killed and waited for when its test ends, however it does.
#[derive(Debug)]
pub(super) struct Reaped(pub(super) Child);

impl Reaped {
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"))
    }

    /// One that stops it, as Ctrl-Z does, has done so when this returns.
    pub(super) fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).expect("the program is there");
        if signal == Signal::SIGSTOP {
            waitid(Id::Pid(self.pid()), WaitPidFlag::WSTOPPED).expect("it stops");
        }
    }

    /// Waits for its end, which must come: its exit status.
    pub(super) fn wait(&mut self) -> Option<i32> {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if let Some(status) = self.0.try_wait().expect("it can be waited for") {
                return status.code();
            }
            thread::yield_now();
        }
        panic!("it does not end");
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
