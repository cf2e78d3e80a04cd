//! The loop that sends probes over TCP, each over a connection of its own: it waits for a
//! socket that is ready, for the next probe to be due, or for the end of a probe's time.

use std::time::Instant;

use common::exit::Failure;
use common::probe::destination::{Destination, any_address};
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::verdict::Verdict;
use common::probe::outcome::{Ended, Outcome};
use common::probe::poller::{Poller, Ready, earlier};
use common::probe::race::Probe;
use common::probe::run::Run;
use common::probe::target::Target;
use common::probe::verbose;
use mio::{Interest, Token};
use slab::Slab;

use crate::attempt::Attempt;
use crate::exchange::Request;
use crate::stream::{Chooser, Connection};

/// Sends probes, and receives what comes back.
#[derive(Debug)]
pub struct Prober<'m> {
    poller: Poller,
    request: Request<'m>,
    attempts: Slab<Attempt<'m>>,
    /// No probe's time is up before this time.
    first_end: Option<Instant>,
    /// Whether each flow has one source port and no other (`--source-port`).
    is_port_fixed: bool,
    /// The source port that each flow keeps for its next probe; none while a probe uses it.
    kept: Vec<Option<u16>>,
}

impl<'m> Prober<'m> {
    /// A prober of `target` that has sent nothing yet.
    pub fn new(target: &Target, request: Request<'m>) -> Result<Self, Failure> {
        Ok(Self {
            poller: Poller::new()?,
            request,
            attempts: Slab::new(),
            first_end: None,
            is_port_fixed: target.has_source_port(),
            kept: Vec::new(),
        })
    }

    /// Makes signals end a run from now on, and not the process.
    pub fn stop_on_signals(&mut self) -> Result<(), Failure> {
        self.poller.catch_signals()
    }

    /// Connects, sends the message, and receives the reply: a single exchange, until `end`
    /// at the latest.
    pub fn exchange(
        &mut self,
        destination: Destination,
        end: Option<Instant>,
    ) -> Result<Ended, Failure> {
        let mut run = Run::once(destination, Instant::now(), end);
        self.drive(&mut run)?;
        Ok(run.into_ended())
    }

    /// Sends the probes of `run` as they are due, until the run is over.
    pub fn drive(&mut self, run: &mut Run) -> Result<(), Failure> {
        loop {
            let now = Instant::now();
            run.begin_turn(now);
            while let Some(probe) = run.take(now, &|flow| self.is_free(flow)) {
                self.begin(probe, run);
            }
            if run.is_over(now, None) {
                return Ok(());
            }
            run.report_ended()?;
            self.poller.watch_output(run.is_waiting_for_reader());
            let next = run.next_at(&|flow| self.is_free(flow), None);
            let woken = self.poller.wait(earlier(next, self.first_end))?;
            if let Some(signal) = woken.signal {
                run.interrupt(signal, woken.at);
            }
            for Ready { key, is_for_writing } in woken.ready {
                self.step(key, woken.at, is_for_writing, run);
            }
            if self.first_end.is_some_and(|end| end <= woken.at) {
                self.end_expired(woken.at, run);
            }
        }
    }

    /// Whether `flow` may send a probe. A flow with a fixed port has one probe out at most.
    fn is_free(&self, flow: u32) -> bool {
        let mut attempts = self.attempts.iter();
        self.attempts.len() < self.poller.most_sockets()
            && !(self.is_port_fixed && attempts.any(|(_, attempt)| attempt.probe.flow() == flow))
    }

    /// Sends `probe`.
    fn begin(&mut self, mut probe: Probe, run: &mut Run) {
        run.begin(&mut probe, Instant::now());
        match self.connect(&probe, run) {
            Ok(connection) => {
                self.first_end = earlier(self.first_end, Some(probe.ends_at()));
                self.attempts.insert(Attempt::new(probe, connection, self.request));
            }
            Err(trouble) => {
                let outcome = Outcome::failed(Some(probe.address()), trouble);
                run.take_in(&probe, outcome, Instant::now());
            }
        }
    }

    /// Goes on with the attempt at `key` as far as possible. The socket was ready at `woken`.
    fn step(&mut self, key: usize, woken: Instant, is_for_writing: bool, run: &mut Run) {
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let stood = attempt.stands();
        let outcome = attempt.step(woken, is_for_writing);
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
        self.attempts.retain(|at, other| at == key || other.probe.number() != probe.number());
    }

    /// Starts to connect for `probe`, and registers the connection with the poller.
    fn connect(&mut self, probe: &Probe, run: &Run) -> Result<Connection, Trouble> {
        let (flow, peer) = (probe.flow(), probe.address());
        verbose::say(format_args!("[*] Connecting to: {peer}"));
        let source = run.destination().source_of_flow(peer, flow)?;
        // On Linux connect(2) prefers ports of one parity, and bind(2) those of the other.
        // Flows use both, so that they take as many paths as possible.
        let parity = [Chooser::Connect, Chooser::Bind][flow as usize % 2];
        let chooser = run.keeps_ports().then_some(parity);
        let kept = if run.keeps_ports() { self.kept_port(flow).take() } else { None };
        let kept = kept.map(|port| {
            let mut own = source.unwrap_or_else(|| any_address(peer));
            own.set_port(port);
            own
        });
        let mut connection = match Connection::connect(peer, kept.or(source), chooser) {
            // Another connection may still hold the port (TIME_WAIT). Then any port will do.
            Err(trouble) if kept.is_some() && trouble.verdict == Verdict::Local => {
                Connection::connect(peer, source, chooser)?
            }
            Err(trouble) => {
                *self.kept_port(flow) = kept.map(|own| own.port());
                return Err(trouble);
            }
            Ok(connection) => connection,
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.attempts.vacant_key());
        self.poller.registry().register(connection.source(), token, both)?;
        Ok(connection)
    }

    /// Ends the attempt at `key` with `outcome`, and closes its connection.
    fn end(&mut self, key: usize, outcome: Outcome, now: Instant, run: &mut Run) {
        let attempt = self.attempts.remove(key);
        if run.keeps_ports() {
            *self.kept_port(attempt.probe.flow()) = Some(attempt.source_port());
        }
        run.take_in(&attempt.close(), outcome, now);
    }

    /// Ends the attempts whose time is up, after one more look at each socket: a reply that
    /// came while the process was stopped (Ctrl-Z and fg) is not late.
    fn end_expired(&mut self, now: Instant, run: &mut Run) {
        let is_over = |attempt: &Attempt<'_>| attempt.ends_at() <= now;
        while let Some((key, _)) = self.attempts.iter().find(|(_, attempt)| is_over(attempt)) {
            self.step(key, now, false, run);
            if let Some(attempt) = self.attempts.get_mut(key).filter(|attempt| is_over(attempt)) {
                let outcome = attempt.timed_out();
                self.end(key, outcome, now, run);
            }
        }
        self.first_end = self.attempts.iter().map(|(_, attempt)| attempt.ends_at()).min();
    }

    /// The source port that `flow` keeps.
    fn kept_port(&mut self, flow: u32) -> &mut Option<u16> {
        let flow = flow as usize;
        if self.kept.len() <= flow {
            self.kept.resize(flow + 1, None);
        }
        &mut self.kept[flow]
    }
}
