//! The run and the ports in scenarios that are written as plain text (`scenarios/*.txt`).
//!
//! A scenario is the transcript of a run in a world without sockets or a clock. Lines with
//! `<` are played: they are what comes back. The other lines are expected: `>` is a probe
//! that is sent, and from which port; `=` is what became of a probe, a datagram or a port.
//! Ports are called `a`, `b`... in the order in which they are opened.
//!
//! [`Run`] and [`Ports`] are the real ones. The world stands in for the prober's loop and
//! for the sockets.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use common::options::of_words;
use common::percent::Percent;
use common::probe::aim::Probe;
use common::probe::destination::Destination;
use common::probe::outcome::Outcome;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::verdict::Verdict;
use common::probe::report::Reporter;
use common::probe::resolving::resolve;
use common::probe::run::Run;
use common::probe::target::Resolved;
use nix::sys::signal::Signal;

use crate::cli::Options;
use crate::ports::Ports;
use crate::ports::flows::Policy;
use crate::ports::slot::{Expiry, Out};
use crate::task::{Task, Times};

/// How many ports may be open at once.
const MOST_PORTS: usize = 8;

/// What comes back, and when.
struct Input {
    at: Instant,
    text: String,
}

/// A port as the world has it: its name, and a stranger that has sent something to it.
struct Port {
    name: char,
    address: SocketAddr,
    stranger: Option<SocketAddr>,
}

struct World {
    start: Instant,
    now: Instant,
    run: Run,
    ports: Ports<Port>,
    names: RangeInclusive<char>,
    /// What has happened.
    log: String,
}

impl World {
    /// Plays the run, in the order of the prober's loop.
    fn play(&mut self, inputs: Vec<Input>) {
        let mut inputs = inputs.into_iter().peekable();
        loop {
            self.run.begin_turn(self.now);
            self.ports.begin_turn(self.now);
            self.examine();
            while let Some(probe) = self.run.take(self.now, &|flow| self.ports.is_free(flow)) {
                self.begin(probe);
            }
            let listening = self.ports.listens_until();
            if self.run.is_over(self.now, listening) {
                // The prober's caller concludes the run, and so enters what has ended.
                return self.run.report_ended().unwrap();
            }
            self.run.report_ended().unwrap();
            let input = inputs.peek().map(|input| input.at);
            let due = self.run.next_at(&|flow| self.ports.is_free(flow), listening);
            let next = [input, self.ports.first_end(), due].into_iter().flatten().min();
            self.now = self.now.max(next.expect("the run waits for something"));
            while let Some(input) = inputs.next_if(|input| input.at <= self.now) {
                self.receive(&input.text);
            }
            self.end_expired();
        }
    }

    /// A trace takes the port of its probe, and says nothing until `trace ends`.
    fn examine(&mut self) {
        if let Some(subject) = self.run.begin_examination(self.now) {
            let port = self.ports.lend(subject.number, subject.address).expect("the probe's port");
            self.say('=', &format!("port {} is traced", port.name));
        }
    }

    fn begin(&mut self, probe: Probe) {
        let (flow, address) = (probe.flow(), probe.address());
        let key = self.ports.free_port(flow, address).unwrap_or_else(|| {
            if let Some(key) = self.ports.in_the_way(flow) {
                self.close(key);
            }
            let name = self.names.next().expect("a name");
            self.ports.add(flow, address, Port { name, address, stranger: None })
        });
        let name = self.ports.get(key).unwrap().name;
        let late = match probe.delay().as_millis() {
            0 => String::new(),
            late => format!(", due {late} ms ago"),
        };
        let what = format!("probe {} from {name}{}{late}", probe.number(), self.of(address));
        self.say('>', &what);
        self.ports.begin(key, probe);
        self.ports.get_mut(key).unwrap().stranger = None;
        let Self { ports, run, now, .. } = self;
        ports.sent(key, *now, |probe| run.begin(probe, *now, *now));
    }

    fn close(&mut self, key: usize) {
        let (port, out) = self.ports.close(key);
        self.say('=', &format!("port {} is closed", port.name));
        if let Some(Out { probe, .. }) = out {
            let trouble = Trouble::no_reply(self.now - probe.begun());
            self.take_in(&probe, Outcome::failed(Some(probe.address()), trouble));
        }
    }

    /// `reply to a`, `stranger to a`, `refusal to a`, `interrupt`, `trace ends`
    fn receive(&mut self, text: &str) {
        self.say('<', text);
        if text == "trace ends" {
            self.ports.give_back();
            return self.run.examined(None, None).unwrap();
        }
        let Some((what, name)) = text.split_once(" to ") else {
            assert_eq!(text, "interrupt");
            return self.run.interrupt(Signal::SIGINT, self.now).unwrap();
        };
        let is_named = |key: &usize| name.starts_with(self.ports.get(*key).unwrap().name);
        let key = self.ports.keys().into_iter().find(is_named);
        let key = key.unwrap_or_else(|| panic!("there is no port {name}: {}", self.log));
        match (what, self.ports.probe(key).is_some()) {
            ("reply", true) => self.end(key, Ok(b"ok".to_vec())),
            ("reply", false) => self.stray(key, true),
            ("refusal", false) => self.ports.error(key, self.now),
            ("refusal", true) => self.end(key, Err(Trouble::new(Verdict::Refused, "by ICMP"))),
            ("stranger", _) => {
                let port = self.ports.get_mut(key).unwrap();
                port.stranger = Some(port.address);
                self.stray(key, false);
            }
            (what, _) => panic!("{what}"),
        }
    }

    fn stray(&mut self, key: usize, is_target: bool) {
        let address = self.ports.get(key).unwrap().address;
        if let Some(stray) = self.ports.stray(key, is_target, self.now) {
            self.run.stray(stray, address, address).unwrap();
            self.say('=', &format!("{}: it was for probe {}", stray.kind.as_str(), stray.number));
        }
    }

    fn end(&mut self, key: usize, result: Result<Vec<u8>, Trouble>) {
        let out = self.ports.end(key, result.as_ref().err(), self.now);
        let Out { probe, .. } = out.expect("a probe is out");
        let address = Some(probe.address());
        let outcome = Outcome { local: address, ..Outcome::of(address, result) };
        self.take_in(&probe, outcome);
    }

    fn take_in(&mut self, probe: &Probe, outcome: Outcome) {
        let words = format!("probe {}: {}", probe.number(), outcome.verdict());
        self.say('=', &format!("{words}{}", self.of(probe.address())));
        if self.run.take_in(probe, outcome, self.now) {
            self.ports.settle(probe.number(), self.now);
        }
    }

    fn end_expired(&mut self) {
        while let Some((key, expiry)) = self.ports.next_expired(self.now) {
            let port = self.ports.get(key).unwrap();
            match expiry {
                Expiry::Probe => {
                    let silence = Trouble::no_reply(self.ports.probe(key).unwrap().limit());
                    let stranger = port.stranger;
                    self.end(key, Err(stranger.map_or(silence, Trouble::wrong_source)));
                }
                Expiry::Quiet => {
                    let name = port.name;
                    self.ports.wake(key);
                    self.say('=', &format!("port {name} is free again"));
                }
            }
        }
    }

    /// ` (ADDRESS)`, if the target has several addresses.
    fn of(&self, address: SocketAddr) -> String {
        let is_one = self.run.destination().addresses().len() == 1;
        if is_one { String::new() } else { format!(" ({})", address.ip()) }
    }

    fn say(&mut self, sign: char, what: &str) {
        let after = (self.now - self.start).as_millis();
        writeln!(self.log, "{after:>5} ms {sign} {what}").unwrap();
    }

    /// The last line: the counts of the ledger.
    fn conclusion(&self) -> String {
        let ledger = self.run.ledger();
        let mut text = format!("{} sent:", ledger.sent);
        for verdict in Verdict::ALL {
            if ledger.count(verdict) > 0 {
                write!(text, " {} {verdict},", ledger.count(verdict)).unwrap();
            }
        }
        for (count, what) in [
            (ledger.unfinished(), "unfinished"),
            (ledger.skipped, "skipped"),
            (ledger.held, "held"),
            (ledger.late, "late"),
            (ledger.duplicate, "duplicate"),
            (ledger.foreign, "foreign"),
        ] {
            if count > 0 {
                write!(text, " {count} {what},").unwrap();
            }
        }
        let share = Percent::of(ledger.lost(), ledger.ended_on_the_way());
        let lost = if ledger.ended_on_the_way() > 0 { format!("{share} %") } else { "-".into() };
        format!("{text} {lost} lost\n")
    }
}

/// Plays the scenario in `text`, and returns the transcript.
fn played(text: &str) -> String {
    let start = Instant::now();
    let (mut options, mut addresses, mut inputs) = (None, None, Vec::new());
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            options = Some(of_words::<Options>(command.split(' ').chain(["-qq"])).unwrap());
        } else if let Some(list) = line.strip_prefix("addresses: ") {
            let address = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 6666);
            addresses = Some(list.split(' ').map(address).collect());
        } else if let Some((time, text)) = line.split_once(" ms < ") {
            let at = start + Duration::from_millis(time.trim().parse().unwrap());
            inputs.push(Input { at, text: text.to_owned() });
        }
    }
    let mut world = world(&options.expect("a command line"), addresses, start);
    world.play(inputs);
    world.log.clone() + &world.conclusion()
}

/// A world with the run that `options` ask for. The target has `addresses`, if there are any,
/// instead of its own.
fn world(options: &Options, addresses: Option<Vec<SocketAddr>>, start: Instant) -> World {
    let Options { target, persistence, reporting, .. } = options;
    let Ok(Task { times: Times::Measure(plan), .. }) = options.task(None) else {
        panic!("the command line asks for no run");
    };
    let destination = match (addresses, resolve(target, None).unwrap()) {
        (Some(addresses), _) => Destination::new(addresses, target.timeout()),
        (None, Resolved::Destination(destination)) => destination,
        (None, Resolved::Nowhere(outcome)) => panic!("{outcome}"),
    };
    let ports = Ports::new(Policy::of(target, Some(&plan), MOST_PORTS), start);
    let reporter = Reporter::new("udp-client", target.written().unwrap(), reporting);
    let run = Run::new(destination, plan, reporter, start, persistence.end(start));
    World { start, now: start, run, ports, names: 'a'..='z', log: String::new() }
}

#[test]
fn all_scenarios() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scenarios");
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
