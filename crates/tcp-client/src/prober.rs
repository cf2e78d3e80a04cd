//! The loop that sends probes over TCP, each over a connection of its own: it waits for a
//! socket that is ready, for the next probe to be due, or for the end of a probe's time. Probes that
//! have ended are examined in `examining`.

mod examining;

use std::rc::Rc;
use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::destination::{Destination, any_address};
use common::probe::egress::Egress;
use common::probe::examination::Wanted;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::{Ended, Outcome};
use common::probe::poller::{EXAMINATION, Poller, Ready, earlier};
use common::probe::run::Run;
use common::probe::target::Target;
use common::probe::verbose;
use mio::{Interest, Token};
use slab::Slab;

use crate::attempt::Attempt;
use crate::exchange::{AT_ONCE, Request};
use crate::flows::Flows;
use crate::searching::Searching;
use crate::stream::{Chooser, Connection, PortInUse, Unconnected};
use crate::tracing::Tracing;

/// Sends probes, and receives what comes back.
#[derive(Debug)]
pub struct Prober<'m> {
    poller: Poller,
    request: Request<'m>,
    /// Boxed, because they are large, and moved several times.
    attempts: Slab<Box<Attempt<'m>>>,
    /// No probe's time is up before this time.
    first_end: Option<Instant>,
    flows: Flows,
    egress: Rc<Egress>,
    /// Probes that wait for their flow's source port, and when each tries again.
    waiting: Vec<(Instant, Probe)>,
    /// What all attempts receive into, one after another.
    buffer: Vec<u8>,
    /// The examination of a probe that has ended: first the search for the segments that pass,
    /// then the trace.
    searching: Option<Box<Searching<'m>>>,
    tracing: Option<Box<Tracing>>,
    /// What the search has found.
    found: Option<Trouble>,
}

impl<'m> Prober<'m> {
    /// A prober of `target` that has sent nothing yet.
    pub fn new(target: &Target, request: Request<'m>) -> Result<Self, Failure> {
        Ok(Self {
            poller: Poller::new()?,
            request,
            attempts: Slab::new(),
            first_end: None,
            flows: Flows::new(target.has_source_port()),
            egress: Rc::new(target.egress()),
            waiting: Vec::new(),
            buffer: vec![0; AT_ONCE],
            searching: None,
            tracing: None,
            found: None,
        })
    }

    /// Connects, sends the message, and receives the reply: a single exchange, until `end`
    /// at the latest. It is examined as is `wanted`.
    pub fn exchange(
        &mut self,
        destination: Destination,
        end: Option<Instant>,
        wanted: Option<Wanted>,
    ) -> Result<Ended, Failure> {
        let mut run = Run::once(destination, Instant::now(), end, wanted);
        self.drive(&mut run)?;
        Ok(run.into_ended())
    }

    /// Sends the probes of `run` as they are due, until the run is over.
    pub fn drive(&mut self, run: &mut Run) -> Result<(), Failure> {
        loop {
            let now = Instant::now();
            run.begin_turn(now);
            self.examine(now, run)?;
            self.try_again(now, run);
            while let Some(probe) = run.take(now, &|flow| self.is_free(flow)) {
                self.begin(probe, run);
            }
            if run.is_over(now, None) {
                return self.end_examination_of(run, now);
            }
            run.report_ended()?;
            self.poller.watch_output(run.watch());
            let next = run.next_at(&|flow| self.is_free(flow), None);
            let next = earlier(next, earlier(self.next_try(), self.examined_at()));
            let woken = self.poller.wait(earlier(next, self.first_end))?;
            if let Some(signal) = woken.signal {
                run.interrupt(signal, woken.at)?;
            }
            while let Some(ready) = self.poller.next_ready() {
                match ready.key {
                    EXAMINATION => self.examination_is_ready(),
                    _ => self.step(ready, woken.at, run),
                }
            }
            if self.first_end.is_some_and(|end| end <= woken.at) {
                self.end_expired(woken.at, run);
            }
        }
    }

    /// Sends the probes of `run`, until it is over or fails. Then ends those whose reply has come:
    /// it counts, although more of it might have come.
    pub fn drive_to_the_end(&mut self, run: &mut Run) -> Result<(), Failure> {
        let driven = self.drive(run);
        self.end_answered(run);
        driven
    }

    fn end_answered(&mut self, run: &mut Run) {
        while let Some((key, _)) = self.attempts.iter().find(|(_, attempt)| attempt.is_settling()) {
            let outcome = self.attempts[key].timed_out();
            self.end(key, outcome, Instant::now(), run);
        }
    }

    /// Whether `flow` may send a probe.
    fn is_free(&self, flow: u32) -> bool {
        self.attempts.len() < self.poller.most_sockets() && self.flows.is_free(flow)
    }

    /// Sends the probes that have waited long enough for their flow's port.
    fn try_again(&mut self, now: Instant, run: &mut Run) {
        while let Some(at) = self.waiting.iter().position(|(at, _)| *at <= now) {
            let (_, probe) = self.waiting.swap_remove(at);
            self.begin(probe, run);
        }
    }

    /// When the next probe tries again to send.
    fn next_try(&self) -> Option<Instant> {
        self.waiting.iter().map(|(at, _)| *at).min()
    }

    /// Sends `probe`, or lets it wait for its flow's port.
    fn begin(&mut self, mut probe: Probe, run: &mut Run) {
        let (tried, flow) = (Instant::now(), probe.flow());
        let mut connection = self.connect(&probe, run);
        let in_use = connection.as_ref().err().and_then(|unconnected| unconnected.port);
        if in_use == Some(PortInUse::Held) {
            if let Some(at) = self.hold(&mut probe, tried, run) {
                self.waiting.push((at, probe));
                return;
            }
        }
        if in_use.is_some() && self.kept_port(flow, run).is_some() {
            self.flows.leave_port(flow);
            run.leave_port();
            connection = self.connect(&probe, run);
        }
        run.begin(&mut probe, tried, Instant::now());
        match connection {
            Ok(connection) => {
                self.flows.connecting(flow, connection.local().port());
                self.first_end = earlier(self.first_end, Some(probe.given_up_at()));
                self.attempts.insert(Box::new(Attempt::new(probe, connection, self.request)));
            }
            Err(Unconnected { trouble, .. }) => {
                self.flows.give_up(flow);
                let outcome = Outcome::failed(Some(probe.address()), trouble);
                run.take_in(&probe, outcome, Instant::now());
            }
        }
    }

    /// When `probe` tries again, whose flow's port is still held at `now`; none if it has
    /// waited long enough.
    fn hold(&mut self, probe: &mut Probe, now: Instant, run: &mut Run) -> Option<Instant> {
        let flow = probe.flow();
        let has_waited = !self.flows.is_free(flow);
        let at = self.flows.held(flow, now, probe.ends_at())?;
        if !has_waited {
            run.wait_for_port(probe);
        }
        Some(at)
    }

    /// The port that `flow` keeps and can use, if the run's flows keep theirs.
    fn kept_port(&mut self, flow: u32, run: &Run) -> Option<u16> {
        self.flows.port(flow).filter(|_| run.keeps_ports())
    }

    /// Goes on with the attempt at `key` as far as possible. The socket was ready at `woken`.
    fn step(&mut self, ready: Ready, woken: Instant, run: &mut Run) {
        let Ready { key, .. } = ready;
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let stood = attempt.stands();
        let outcome = attempt.step(woken, ready, &mut self.buffer);
        if outcome.is_none() {
            self.first_end = earlier(self.first_end, Some(attempt.ends_at()));
        }
        if attempt.stands() && !stood {
            let probe = attempt.probe;
            if run.won(&probe, woken) {
                self.give_up_rivals(key, &probe);
            }
        }
        if let Some(outcome) = outcome {
            self.end(key, outcome, woken, run);
        }
    }

    /// Gives up the attempts of `probe` at other addresses than the one at `key`, which has
    /// connected.
    fn give_up_rivals(&mut self, key: usize, probe: &Probe) {
        let (flow, number) = (probe.flow(), probe.number());
        let flows = &mut self.flows;
        self.attempts.retain(|at, other| {
            let is_rival = at != key && other.probe.number() == number;
            if is_rival {
                flows.closed(flow, None);
            }
            !is_rival
        });
        self.waiting.retain(|(_, other)| {
            let is_rival = other.number() == number;
            if is_rival {
                flows.give_up(flow);
            }
            !is_rival
        });
    }

    /// Starts to connect for `probe`, and registers the connection with the poller.
    fn connect(&mut self, probe: &Probe, run: &Run) -> Result<Connection, Unconnected> {
        let (flow, peer) = (probe.flow(), probe.address());
        verbose::say(format_args!("[*] Connecting to: {peer}"));
        let source = run.destination().source_of_flow(peer, flow)?;
        // On Linux connect(2) prefers ports of one parity, and bind(2) those of the other.
        // Flows use both, so that they take as many paths as possible.
        let parity = [Chooser::Connect, Chooser::Bind][flow as usize % 2];
        let chooser = run.keeps_ports().then_some(parity);
        let kept = self.kept_port(flow, run).map(|port| {
            let mut own = source.unwrap_or_else(|| any_address(peer));
            own.set_port(port);
            own
        });
        let mut connection = Connection::connect(peer, kept.or(source), chooser, &self.egress)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.attempts.vacant_key());
        let registered = self.poller.registry().register(connection.source(), token, both);
        registered.map_err(|error| Trouble::here(&error))?;
        Ok(connection)
    }

    /// Ends the attempt at `key` with `outcome`, and closes its connection.
    fn end(&mut self, key: usize, outcome: Outcome, now: Instant, run: &mut Run) {
        let mut attempt = self.attempts.remove(key);
        if outcome.result.is_err() && run.would_examine(&outcome, now) {
            attempt.reset_at_close();
        }
        self.flows.closed(attempt.probe.flow(), outcome.connect);
        let probe = attempt.close();
        // A connection may have stood and answered between two looks at it.
        if run.take_in(&probe, outcome, now) {
            self.give_up_rivals(key, &probe);
        }
    }

    /// Ends the attempts whose time is up, after one more look at each socket: a reply that
    /// came while the process was stopped (Ctrl-Z and fg) is not late.
    fn end_expired(&mut self, now: Instant, run: &mut Run) {
        let is_over = |attempt: &Attempt<'_>| attempt.ends_at() <= now;
        while let Some((key, _)) = self.attempts.iter().find(|(_, attempt)| is_over(attempt)) {
            self.step(Ready { key, is_for_writing: false, has_ended: false }, now, run);
            if let Some(attempt) = self.attempts.get_mut(key).filter(|attempt| is_over(attempt)) {
                let outcome = attempt.timed_out();
                self.end(key, outcome, now, run);
            }
        }
        self.first_end = self.attempts.iter().map(|(_, attempt)| attempt.ends_at()).min();
    }
}
