//! The core in scenarios that are written as plain text (`scenarios/*.txt`).
//!
//! A scenario is the transcript of a run in a world without sockets or a clock.
//! Of its lines those with `<` are what comes back; the others are what has to
//! come of it: `>` what is sent, and from which port, `=` what became of it.
//! Ports are called `a`, `b`... as they are opened.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::percent::Percent;
use crate::probe::aim::Probe;
use crate::probe::destination::Destination;
use crate::probe::outcome::Outcome;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::persistence::Persistence;
use crate::probe::plan::Probing;
use crate::probe::report::{Reporter, Reporting};
use crate::probe::run::Run;
use crate::probe::source_port::SourcePort;
use crate::probe::target::Target;

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    probing: Probing,
    #[command(flatten)]
    persistence: Persistence,
    #[command(flatten)]
    reporting: Reporting,
}

/// What comes back, and when.
struct Input {
    at: Instant,
    text: String,
}

/// A source port, as udp-client has it.
struct Port {
    name: char,
    address: SocketAddr,
    state: SourcePort,
    out: Option<Out>,
}

struct Out {
    probe: Probe,
    stranger: Option<SocketAddr>,
}

struct World {
    start: Instant,
    now: Instant,
    run: Run,
    destination: Destination,
    names: std::ops::RangeInclusive<char>,
    ports: Vec<Port>,
    /// What has happened.
    log: String,
}

impl World {
    /// Everything happens as udp-client's loop has it.
    fn play(&mut self, inputs: Vec<Input>) {
        let mut inputs = inputs.into_iter().peekable();
        loop {
            self.run.tick(self.now);
            while let Some(probe) = self.take() {
                self.begin(probe);
            }
            if self.run.is_over() {
                return self.run.tell().unwrap();
            }
            self.run.tell().unwrap();
            let input = inputs.peek().map(|input| input.at);
            let ends = self.ports.iter().filter_map(Port::next_end).min();
            let due = self.run.next_at(|flow| is_free(&self.ports, &self.destination, flow));
            let next = [input, ends, due].into_iter().flatten().min();
            self.now = self.now.max(next.expect("something is to come"));
            while let Some(input) = inputs.next_if(|input| input.at <= self.now) {
                self.hear(&input.text);
            }
            self.expire();
        }
    }

    fn take(&mut self) -> Option<Probe> {
        let Self { ports, destination, .. } = self;
        self.run.take(self.now, |flow| is_free(ports, destination, flow))
    }

    fn begin(&mut self, probe: Probe) {
        let (flow, address) = (probe.due.flow, probe.address());
        let is_free =
            |port: &Port| port.is_free() && port.state.flow() == flow && port.address == address;
        let found = self.ports.iter().position(is_free).unwrap_or_else(|| {
            if self.destination.source_port().is_some() {
                self.ports.retain(|port| port.state.flow() != flow);
            }
            let name = self.names.next().expect("a name");
            self.ports.push(Port { name, address, state: SourcePort::new(flow), out: None });
            self.ports.len() - 1
        });
        let name = self.ports[found].name;
        let late = match probe.delay().as_millis() {
            0 => String::new(),
            late => format!(", due {late} ms ago"),
        };
        let what = format!("probe {} from {name}{}{late}", probe.due.number, self.of(address));
        self.say('>', &what);
        let port = &mut self.ports[found];
        port.state.sent(probe.due.number, self.now);
        port.out = Some(Out { probe, stranger: None });
    }

    /// `reply to a`, `stranger to a`, `refusal to a`, `interrupt`
    fn hear(&mut self, text: &str) {
        self.say('<', text);
        let Some((what, name)) = text.split_once(" to ") else {
            assert_eq!(text, "interrupt");
            return self.run.stop();
        };
        let found = self.ports.iter().position(|port| name.starts_with(port.name));
        let found = found.unwrap_or_else(|| panic!("there is no port {name}"));
        let port = &mut self.ports[found];
        match (what, &mut port.out) {
            ("reply", Some(_)) => self.end(found, Ok(b"ok".to_vec())),
            ("reply", None) => self.stray(found, true),
            ("refusal", Some(_)) => {
                self.end(found, Err(Trouble::new(Verdict::Refused, "by ICMP")));
            }
            ("stranger", out) => {
                if let Some(out) = out {
                    out.stranger = Some(port.address);
                }
                self.stray(found, false);
            }
            (what, _) => panic!("{what}"),
        }
    }

    fn stray(&mut self, found: usize, is_target: bool) {
        let until = self.now + self.destination.timeout();
        let port = &mut self.ports[found];
        let Some(stray) = port.state.stray(is_target, self.now, until) else {
            return;
        };
        self.run.stray(stray, port.address, port.address).unwrap();
        self.say('=', &format!("{}: it was for probe {}", stray.kind.as_str(), stray.number));
    }

    fn end(&mut self, found: usize, result: Result<Vec<u8>, Trouble>) {
        let until = self.now + self.destination.timeout();
        let port = &mut self.ports[found];
        let Out { probe, .. } = port.out.take().expect("a probe is out");
        match result.as_ref().map_err(|trouble| trouble.verdict) {
            Ok(_) => port.state.answered(),
            Err(Verdict::Refused) => {}
            Err(_) => port.state.silent(until),
        }
        let outcome = Outcome::of(Some(probe.address()), result);
        let words = format!("probe {}: {}", probe.due.number, outcome.verdict());
        self.say('=', &format!("{words}{}", self.of(probe.address())));
        if let Some(next) = self.run.ended(probe, outcome, self.now) {
            self.ports[found].state.given_up();
            self.begin(next);
        }
    }

    fn expire(&mut self) {
        for name in self.ports.iter().map(|port| port.name).collect::<Vec<_>>() {
            let found = self.ports.iter().position(|port| port.name == name);
            let Some(found) = found.filter(|at| self.ports[*at].next_end() <= Some(self.now))
            else {
                continue;
            };
            let port = &mut self.ports[found];
            match &port.out {
                Some(Out { probe, stranger }) => {
                    let silence = Trouble::no_reply(probe.limit);
                    let trouble = stranger.map_or(silence, Trouble::wrong_source);
                    self.end(found, Err(trouble));
                }
                None if port.state.quiet_until().is_none() => {}
                None if self.destination.source_port().is_some() => {
                    port.state.wake();
                    self.say('=', &format!("port {name} is free again"));
                }
                None => {
                    self.ports.remove(found);
                    self.say('=', &format!("port {name} is closed"));
                }
            }
        }
    }

    /// The address, where there are several.
    fn of(&self, address: SocketAddr) -> String {
        let is_one = self.destination.addresses().len() == 1;
        if is_one { String::new() } else { format!(" ({})", address.ip()) }
    }

    fn say(&mut self, sign: char, what: &str) {
        let after = (self.now - self.start).as_millis();
        writeln!(self.log, "{after:>5} ms {sign} {what}").unwrap();
    }

    /// What the ledger says.
    fn conclusion(&self) -> String {
        let ledger = &self.run.telling.as_ref().expect("it is told of").ledger;
        let mut text = format!("{} sent:", ledger.sent);
        for verdict in Verdict::ALL {
            if ledger.count(verdict) > 0 {
                write!(text, " {} {verdict},", ledger.count(verdict)).unwrap();
            }
        }
        let (late, duplicate, foreign) = (ledger.late, ledger.duplicate, ledger.foreign);
        for (count, what) in [
            (ledger.unfinished(), "unfinished"),
            (late, "late"),
            (duplicate, "duplicate"),
            (foreign, "foreign"),
        ] {
            if count > 0 {
                write!(text, " {count} {what},").unwrap();
            }
        }
        format!("{text} {} % lost\n", Percent::of(ledger.lost(), ledger.ended_in_all()))
    }
}

impl Port {
    fn is_free(&self) -> bool {
        self.out.is_none() && self.state.quiet_until().is_none()
    }

    fn next_end(&self) -> Option<Instant> {
        let quiet_until = || self.state.quiet_until();
        self.out.as_ref().map(|out| out.probe.ends_at()).or_else(quiet_until)
    }
}

fn is_free(ports: &[Port], destination: &Destination, flow: u32) -> bool {
    destination.source_port().is_none()
        || ports.iter().all(|port| port.state.flow() != flow || port.is_free())
}

/// What a scenario comes to, in its own words.
fn played(text: &str) -> String {
    let (mut world, mut inputs) = (None, Vec::new());
    let start = Instant::now();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let options = CommandLine::parse_from(command.split(' ').chain(["-qq"]));
            let destination = options.target.resolve(None).unwrap().unwrap();
            world = Some((options, destination));
        } else if let Some(addresses) = line.strip_prefix("addresses: ") {
            let address = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 6666);
            let of = addresses.split(' ').map(address).collect();
            world = world.map(|(options, to)| (options, Destination { addresses: of, ..to }));
        } else if let Some((time, text)) = line.split_once(" ms < ") {
            let at = start + Duration::from_millis(time.trim().parse().unwrap());
            inputs.push(Input { at, text: text.to_owned() });
        }
    }
    let (options, destination) = world.expect("a command line");
    let plan = options.probing.plan().unwrap().expect("a run");
    let reporter = Reporter::new(options.target.written().unwrap(), options.reporting);
    let end = options.persistence.end(start);
    let run = Run::new(&destination, plan, reporter, start, end);
    let (names, ports, log) = ('a'..='z', Vec::new(), String::new());
    let mut world = World { start, now: start, run, destination, names, ports, log };
    world.play(inputs);
    world.log.clone() + &world.conclusion()
}

#[test]
fn all_scenarios() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/scenarios");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (head, expected) = text.split_once("\n\n").expect("a heading");
        let played = played(&text);
        assert!(played == expected, "{}\n\n{head}\n\n{played}", path.display());
        count += 1;
    }
    assert!(count > 9, "only {count} scenarios were found");
}
