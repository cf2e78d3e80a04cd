//! A program that a test runs to its end, and may stop and continue meanwhile.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;
use std::{fs, thread};

use nix::sys::signal::Signal;

use super::peers::{quiet_command, skipped};
use super::reaped::{PATIENCE, Reaped};

/// How a program ended, and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub status: Option<i32>,
    /// As text, with replacement characters for bytes that are no UTF-8.
    pub stdout: String,
    /// Byte for byte.
    pub stdout_bytes: Vec<u8>,
    pub stderr: String,
}

/// Runs `program` to its end, with nothing on standard input.
pub fn run<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Finished {
    run_with_input(program, args, b"")
}

/// Runs `program` to its end, with `input` on standard input.
pub fn run_with_input<S: AsRef<OsStr>>(program: &str, args: &[S], input: &[u8]) -> Finished {
    let mut command = quiet_command(program);
    command.args(args);
    run_command(command, input)
}

/// Runs `command` to its end, with `input` on standard input.
pub fn run_command(command: Command, input: &[u8]) -> Finished {
    let mut child = spawn_for_output(command, Stdio::piped());
    let mut stdin = child.process().stdin.take().expect("standard input is piped");
    let input = input.to_owned();
    // A program may end without reading its input.
    thread::spawn(move || stdin.write_all(&input));
    finished(child)
}

/// Runs `command` to its end, with `stdin` as its standard input.
pub fn run_with(command: Command, stdin: Stdio) -> Finished {
    finished(spawn_for_output(command, stdin))
}

fn spawn_for_output(mut command: Command, stdin: Stdio) -> Reaped {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    Reaped::spawn(command)
}

fn finished(mut child: Reaped) -> Finished {
    let stdout = bytes_of(child.process().stdout.take().expect("standard output is piped"));
    let stderr = bytes_of(child.process().stderr.take().expect("standard error is piped"));
    let stdout_bytes = stdout.recv_timeout(PATIENCE).expect("the program ends");
    let stderr = stderr.recv_timeout(PATIENCE).expect("the program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&stdout_bytes), text(&stderr));
    let status = child.wait();
    Finished { status, stdout, stdout_bytes, stderr }
}

/// A program that is running, with nothing on standard input.
#[derive(Debug)]
pub struct Running(Reaped);

impl Running {
    /// Starts `program`.
    pub fn start<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Self {
        let mut command = quiet_command(program);
        command.args(args);
        Self::spawn(command, Stdio::null())
    }

    /// Starts `command`, with `stdin` as its standard input.
    #[must_use]
    pub fn spawn(command: Command, stdin: Stdio) -> Self {
        Self(spawn_for_output(command, stdin))
    }

    pub fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it sleeps in poll(2), in which a client waits for standard input, or for a reader
    /// of what it prints. (Its event loop sleeps in epoll_wait(2).) proc_pid_wchan(5).
    pub fn wait_for_poll(&self) {
        let patience = Instant::now() + PATIENCE;
        let place = format!("/proc/{}/wchan", self.id());
        let is_in_poll = |place: String| place.contains("poll") && !place.contains("ep");
        while !fs::read_to_string(&place).is_ok_and(is_in_poll) {
            assert!(Instant::now() < patience, "it does not wait");
            thread::yield_now();
        }
    }

    /// Leaves it without a reader of its standard output.
    pub fn hang_up(&mut self) {
        drop(self.0.process().stdout.take());
    }

    /// The first line that it says on standard error, of which no more is read.
    pub fn first_line(&mut self) -> String {
        let stderr = self.0.process().stderr.take().expect("standard error is piped");
        let (sender, line) = mpsc::channel();
        thread::spawn(move || sender.send(BufReader::new(stderr).lines().next()));
        let line = line.recv_timeout(PATIENCE).expect("the program says something");
        line.expect("a line").expect("text")
    }

    /// Sends `signal` to the only child of the program.
    pub fn signal_child(&self, signal: Signal) {
        self.0.signal_child(signal);
    }

    /// Stops the program, as Ctrl-Z does, and waits until it has stopped.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Continues the program, as fg does.
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits for the program's end without reading what it prints. Returns its exit status.
    #[must_use]
    pub fn end_unread(mut self) -> Option<i32> {
        self.0.wait()
    }

    /// Waits for the program's end.
    #[must_use]
    pub fn finish(self) -> Finished {
        finished(self.0)
    }
}

/// A command that runs `program` as the first process of a container. `None` if this machine
/// allows no namespaces: then the test is reported as skipped.
pub fn contained(program: &str) -> Option<Command> {
    const ARGS: [&str; 5] = ["--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let tried = Command::new("unshare").args(ARGS).arg("true").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        skipped("no namespaces of its own (unshare)");
        return None;
    }
    let mut command = quiet_command("unshare");
    command.args(ARGS).arg(program);
    Some(command)
}

/// A command that runs `program` in a network of its own, which `script`, for the shell, sets up.
/// `None` if this machine allows no such network: then the test is reported as skipped.
pub fn networked(script: &str, program: &str, args: &[&str]) -> Option<Command> {
    let script = format!(r#"set -e; {script}; exec "$0" "$@""#);
    let of = |program| {
        let mut command = quiet_command("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", &script, program]);
        command
    };
    if !of("true").output().is_ok_and(|tried| tried.status.success()) {
        skipped("no network of its own (unshare, ip)");
        return None;
    }
    let mut command = of(program);
    command.args(args);
    Some(command)
}

fn bytes_of(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, bytes) = mpsc::channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = output.read_to_end(&mut all);
        let _ = sender.send(all);
    });
    bytes
}
