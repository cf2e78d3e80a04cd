//! The harness of the black-box tests: programs are started, spoken to and
//! ended, and none outlives its test.
//!
//! Everything waits for an event (a line, an end), with a bound that turns a
//! hang into a failure; nothing sleeps.

// A test fails by panicking, and a skip must be seen: the lints that keep
// programs from doing so do not fit here.
#![allow(clippy::expect_used, clippy::panic, missing_docs)]

mod events;
mod manager;
mod reaped;
mod running;
mod terminal;

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::Signal;

pub use events::{Event, documented};
pub use manager::ServiceManager;
pub use running::Running;
pub use terminal::Terminal;

use reaped::Reaped;

/// How long anything may take before it counts as hung. Far above what a busy
/// machine needs, for it costs nothing where all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server that is running, and its transcript so far.
#[derive(Debug)]
pub struct Server {
    child: Reaped,
    lines: Receiver<String>,
    /// Keeps the pipe open that nobody reads any more.
    _unread: JoinHandle<Option<ChildStdout>>,
    addresses: Vec<SocketAddr>,
}

/// What the reader of a transcript does, once the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// It reads on.
    Reads,
    /// It reads no more, but stays.
    Sleeps,
    /// It goes away.
    Leaves,
}

impl Server {
    /// Starts `program` and waits until it says where it listens.
    pub fn start(program: &str, args: &[&str]) -> Self {
        let mut command = quiet_command(program);
        command.args(args);
        Self::spawn(command, 1)
    }

    /// Starts `command` and waits for `listeners` lines that say "Listening".
    pub fn spawn(command: Command, listeners: usize) -> Self {
        Self::spawn_with(command, listeners, Reader::Reads)
    }

    /// The same, with a reader of the transcript that may do otherwise than
    /// read it once the server listens.
    pub fn spawn_with(mut command: Command, listeners: usize, reader: Reader) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Reaped(command.spawn().expect("the server starts"));
        let stdout = child.0.stdout.take().expect("standard output is piped");
        let (lines, unread) = lines_of(stdout, listeners, reader);
        let mut server = Self { child, lines, _unread: unread, addresses: Vec::new() };
        while server.addresses.len() < listeners {
            let line = server.line();
            server.addresses.extend(listening_on(&line));
        }
        server
    }

    /// Where to reach it: the address it listens on, or the loopback one
    /// where it listens on all.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let listening = self.addresses[0];
        match listening.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listening.port())
            }
            IpAddr::V6(ip) if ip.is_unspecified() => {
                SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listening.port())
            }
            _ => listening,
        }
    }

    /// All the addresses that it said it listens on, as it said them.
    #[must_use]
    pub fn listening_on(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The next line of its transcript.
    pub fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line of the transcript")
    }

    /// The next line that contains `text`; those before it are passed over.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Sets how many descriptors it may have; `false` (said loudly) where that
    /// cannot be done here.
    #[must_use]
    pub fn limit_descriptors(&self, limit: &str) -> bool {
        let Some(mut prlimit) = peer("prlimit", "prlimit --version") else {
            return false;
        };
        prlimit.args(["--pid", &self.id().to_string(), &format!("--nofile={limit}:")]);
        prlimit.status().is_ok_and(|status| status.success())
    }

    /// The next event of its `--json`.
    pub fn event(&mut self) -> Event {
        Event::parse(&self.line())
    }

    /// The next event called `name`; those before it are passed over.
    pub fn wait_for_event(&mut self, name: &str) -> Event {
        loop {
            let event = self.event();
            if event.name() == name {
                return event;
            }
        }
    }

    /// Asks it to stop, and waits until it has: its exit status and the rest
    /// of its transcript.
    pub fn stop(self) -> (Option<i32>, Vec<String>) {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    /// Waits until it has ended by itself.
    pub fn finish(mut self) -> (Option<i32>, Vec<String>) {
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end; so far: {rest:?}"),
            }
        }
        (self.child.wait(), rest)
    }
}

/// How a program ended, and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub status: Option<i32>,
    /// As text, with replacement characters for what is none.
    pub stdout: String,
    /// As it came.
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
    let mut stdin = child.0.stdin.take().expect("standard input is piped");
    let input = input.to_owned();
    // A program that ends without reading its input is no failure.
    thread::spawn(move || stdin.write_all(&input));
    finished(child)
}

/// Runs `command` to its end, with `stdin` for its standard input.
pub fn run_with(command: Command, stdin: Stdio) -> Finished {
    finished(spawn_for_output(command, stdin))
}

fn spawn_for_output(mut command: Command, stdin: Stdio) -> Reaped {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    Reaped(command.spawn().expect("the program starts"))
}

fn finished(mut child: Reaped) -> Finished {
    let stdout = bytes_of(child.0.stdout.take().expect("standard output is piped"));
    let stderr = bytes_of(child.0.stderr.take().expect("standard error is piped"));
    let stdout_bytes = stdout.recv_timeout(PATIENCE).expect("the program ends");
    let stderr = stderr.recv_timeout(PATIENCE).expect("the program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&stdout_bytes), text(&stderr));
    let status = child.wait();
    Finished { status, stdout, stdout_bytes, stderr }
}

/// `program`, untouched by the environment that the tests run in.
#[must_use]
pub fn quiet_command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG");
    command
}

/// A Python program of `scripts/python`, or `None` (said loudly) where there
/// is no Python 3.
pub fn python(script: &str, args: &[&str]) -> Option<Command> {
    let mut command = peer("python3", "python3 --version")?;
    let scripts = [env!("CARGO_MANIFEST_DIR"), "..", "..", "scripts", "python", script];
    command.arg("-u").arg(scripts.iter().collect::<PathBuf>()).args(args);
    Some(command)
}

/// Another program to talk to, or `None` (said loudly) where `probe`, a
/// command that just has to be found, is not on this machine.
pub fn peer(program: &str, probe: &str) -> Option<Command> {
    let mut words = probe.split(' ');
    let mut found = Command::new(words.next().expect("a command"));
    found.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if found.status().is_ok() {
        return Some(quiet_command(program));
    }
    skipped(&format!("{program} is not installed"));
    None
}

/// Says that the running test was skipped: past the capturing of test output,
/// so that it is seen. With `GETTHROUGH_NO_SKIP` set, as in CI, it fails.
pub fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("GETTHROUGH_NO_SKIP").is_none(), "{test} cannot run: {why}");
    let _ = io::stderr().write_all(format!("SKIPPED: {test}: {why}\n").as_bytes());
}

/// The address, where `line` says that a server listens: in words or in JSON.
fn listening_on(line: &str) -> Option<SocketAddr> {
    let address = match line.strip_prefix('{') {
        Some(_) => Event::parse(line).0.get("address")?.as_str()?.to_owned(),
        None => line.split_once("Listening on ")?.1.to_owned(),
    };
    Some(address.parse().expect("an address"))
}

fn lines_of(
    output: ChildStdout,
    listeners: usize,
    reader: Reader,
) -> (Receiver<String>, JoinHandle<Option<ChildStdout>>) {
    let (sender, lines) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut to_come = listeners;
        let mut line = Vec::new();
        while let Ok(1..) = output.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            to_come = to_come.saturating_sub(usize::from(listening_on(&text).is_some()));
            // The test may have ended, and does not listen any more.
            let _ = sender.send(text);
            line.clear();
            if to_come == 0 && reader != Reader::Reads {
                return (reader == Reader::Sleeps).then(|| output.into_inner());
            }
        }
        None
    });
    (lines, reading)
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
