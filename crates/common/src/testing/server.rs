//! A server that runs for a test, and its transcript.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal;

use super::events::Event;
use super::peers::{peer, quiet_command};
use super::reaped::{PATIENCE, Reaped};

/// A server that is running, and its transcript so far.
#[derive(Debug)]
pub struct Server {
    child: Reaped,
    lines: Receiver<String>,
    /// Keeps the pipe open after its reader has stopped reading.
    unread: Option<JoinHandle<Option<Output>>>,
    addresses: Vec<SocketAddr>,
}

type Output = BufReader<ChildStdout>;

/// What the reader of a transcript does once the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The reader reads on.
    Reads,
    /// The reader stops reading, but keeps the pipe open.
    Sleeps,
    /// The reader closes the pipe.
    Leaves,
    /// The reader closes the pipe after the first line that contains this.
    LeavesAfter(&'static str),
}

impl Server {
    /// Starts `program` and waits for the line that says where it listens.
    pub fn start(program: &str, args: &[&str]) -> Self {
        let mut command = quiet_command(program);
        command.args(args);
        Self::spawn(command, 1)
    }

    /// Starts `command` and waits for `listeners` lines that say where it listens.
    pub fn spawn(command: Command, listeners: usize) -> Self {
        Self::spawn_with(command, listeners, Reader::Reads)
    }

    /// Like [`Server::spawn`], with a `reader` that may stop reading the transcript once the
    /// server listens.
    pub fn spawn_with(mut command: Command, listeners: usize, reader: Reader) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Reaped::spawn(command);
        let stdout = child.process().stdout.take().expect("standard output is piped");
        let (lines, unread) = lines_of(BufReader::new(stdout), listeners, reader);
        let mut server = Self { child, lines, unread: Some(unread), addresses: Vec::new() };
        while server.addresses.len() < listeners {
            let line = server.line();
            server.addresses.extend(listening_on(&line));
        }
        server
    }

    /// Where to reach the server: the address that it listens on, or the loopback address
    /// if it listens on all.
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

    /// All the addresses on which the server said that it listens.
    #[must_use]
    pub fn listening_on(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The next line of the transcript.
    pub fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line of the transcript")
    }

    /// The next line that contains `text`. Earlier lines are skipped.
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

    /// The server's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Limits the server's open descriptors. Returns `false` if this machine has no
    /// prlimit(1): then the test is reported as skipped.
    #[must_use]
    pub fn limit_descriptors(&self, limit: &str) -> bool {
        self.limit(&format!("--nofile={limit}:"))
    }

    /// Limits the server's address space to this many `more` bytes than it has. Returns `false`
    /// if this machine has no prlimit(1): then the test is reported as skipped.
    #[must_use]
    pub fn limit_memory(&self, more: u64) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("/proc");
        let size =
            status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split(' ').nth_back(1));
        let kib: u64 = size.and_then(|kib| kib.trim().parse().ok()).expect("a size");
        self.limit(&format!("--as={}", kib * 1024 + more))
    }

    fn limit(&self, limit: &str) -> bool {
        let Some(mut prlimit) = peer("prlimit", "prlimit --version") else {
            return false;
        };
        prlimit.args(["--pid", &self.id().to_string(), limit]);
        prlimit.status().is_ok_and(|status| status.success())
    }

    /// Lets a reader that sleeps ([`Reader::Sleeps`]) read on.
    pub fn wake_reader(&mut self) {
        let asleep = self.unread.take().and_then(|reader| reader.join().ok().flatten());
        let output = asleep.expect("a reader that sleeps");
        let (lines, reading) = lines_of(output, 0, Reader::Reads);
        (self.lines, self.unread) = (lines, Some(reading));
    }

    /// The next event of the transcript, with `--json`.
    pub fn event(&mut self) -> Event {
        Event::parse(&self.line())
    }

    /// The next event called `name`. Earlier events are skipped.
    pub fn wait_for_event(&mut self, name: &str) -> Event {
        loop {
            let event = self.event();
            if event.name() == name {
                return event;
            }
        }
    }

    /// Stops the server with SIGTERM. Returns its exit status and the rest of the
    /// transcript.
    pub fn stop(self) -> (Option<i32>, Vec<String>) {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    /// Waits until the server ends by itself. Returns its exit status and the rest of the
    /// transcript.
    pub fn finish(mut self) -> (Option<i32>, Vec<String>) {
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the server does not end: {rest:?}"),
            }
        }
        (self.child.wait(), rest)
    }
}

/// The address in a line that says where a server listens, in words or in JSON.
fn listening_on(line: &str) -> Option<SocketAddr> {
    let address = match line.strip_prefix('{') {
        Some(_) => Event::parse(line).0.get("address")?.as_str()?.to_owned(),
        None => line.split_once("Listening on ")?.1.to_owned(),
    };
    Some(address.parse().expect("an address"))
}

fn lines_of(
    mut output: Output,
    listeners: usize,
    reader: Reader,
) -> (Receiver<String>, JoinHandle<Option<Output>>) {
    let (sender, lines) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut to_come = listeners;
        let mut line = Vec::new();
        while let Ok(1..) = output.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            to_come = to_come.saturating_sub(usize::from(listening_on(&text).is_some()));
            let is_last = match reader {
                Reader::Reads => false,
                Reader::Sleeps | Reader::Leaves => to_come == 0,
                Reader::LeavesAfter(last) => text.contains(last),
            };
            // The test may have ended: then nobody receives the line.
            let _ = sender.send(text);
            line.clear();
            if is_last {
                return (reader == Reader::Sleeps).then_some(output);
            }
        }
        None
    });
    (lines, reading)
}
