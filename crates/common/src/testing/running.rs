//! A program that is running, and can be stopped meanwhile.

use std::ffi::OsStr;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::{Finished, Reaped, finished, quiet_command, spawn_for_output};

/// A program that is running, with nothing on standard input.
#[derive(Debug)]
pub struct Running(Reaped);

impl Running {
    /// Starts `program`.
    pub fn start<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Self {
        let mut command = quiet_command(program);
        command.args(args);
        Self(spawn_for_output(command, Stdio::null()))
    }

    pub fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }

    /// Stops it, as Ctrl-Z does, and waits until it has.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Has it go on, as fg does.
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits for its end, and reads nothing of what it prints: its exit status.
    #[must_use]
    pub fn end_unread(mut self) -> Option<i32> {
        self.0.wait()
    }

    /// Waits for its end.
    #[must_use]
    pub fn finish(self) -> Finished {
        finished(self.0)
    }
}
