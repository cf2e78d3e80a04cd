//! A process that a test has started. It does not outlive the test.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// How long anything may take before it counts as hung: far longer than it takes on a busy
/// machine. A test that passes never waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is killed and waited for when its test ends, however the test ends.
#[derive(Debug)]
pub(super) struct Reaped(Child);

impl Reaped {
    pub(super) fn spawn(mut command: Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    pub(super) fn process(&mut self) -> &mut Child {
        &mut self.0
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.id()).expect("a process id"))
    }

    /// Sends `signal`. After SIGSTOP, which stops a process as Ctrl-Z does, returns when the
    /// process has stopped.
    pub(super) fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).expect("the program is there");
        if signal == Signal::SIGSTOP {
            waitid(Id::Pid(self.pid()), WaitPidFlag::WSTOPPED).expect("the process stops");
        }
    }

    /// Sends `signal` to the only child of the process.
    pub(super) fn signal_child(&self, signal: Signal) {
        let id = self.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let child = children.expect("/proc has the children").trim().parse().expect("one child");
        signal::kill(Pid::from_raw(child), signal).expect("the child is there");
    }

    /// Waits for the process's end, [`PATIENCE`] at most. Returns its exit status.
    pub(super) fn wait(&mut self) -> Option<i32> {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if let Some(status) = self.0.try_wait().expect("the process can be waited for") {
                return status.code();
            }
            thread::yield_now();
        }
        panic!("the process does not end");
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
