//! The loop that sends probes, each over a connection of its own: it waits for
//! readiness, for the next one to be due, or for the end of one's time.

use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::destination::{Destination, any_address};
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::verdict::Verdict;
use common::probe::outcome::{Outcome, Outcomes};
use common::probe::poller::{Poller, Ready, earlier};
use common::probe::run::Run;
use log::debug;
use mio::{Interest, Token};
use slab::Slab;

use crate::attempt::{Attempt, Order};
use crate::stream::{Chooser, Connection};

/// Sends probes, and hears what comes of them.
#[derive(Debug)]
pub struct Prober<'m> {
    poller: Poller,
    order: Order<'m>,
    attempts: Slab<Attempt<'m>>,
    /// No probe's time is up before.
    first_end: Option<Instant>,
    /// The source port of each flow that keeps one, unless a probe has it.
    kept: Vec<Option<u16>>,
}

impl<'m> Prober<'m> {
    /// A prober that has sent nothing yet.
    pub fn new(order: Order<'m>) -> Result<Self, Failure> {
        let (poller, attempts) = (Poller::new()?, Slab::new());
        Ok(Self { poller, order, attempts, first_end: None, kept: Vec::new() })
    }

    /// From now on signals end a run, rather than the process.
    pub fn stop_on_signals(&mut self) -> Result<(), Failure> {
        self.poller.catch_signals()
    }

    /// A single exchange, until `end` at the latest: what came of it.
    pub fn exchange(
        &mut self,
        destination: &Destination,
        end: Option<Instant>,
    ) -> Result<Outcomes, Failure> {
        let mut run = Run::once(destination, Instant::now(), end);
        self.drive(&mut run, destination)?;
        Ok(run.into_outcomes())
    }

    /// Sends the probes of `run` as they are due, until it is over.
    pub fn drive(&mut self, run: &mut Run, destination: &Destination) -> Result<(), Failure> {
        loop {
            let now = Instant::now();
            run.tick(now);
            while let Some(probe) = run.take(now, |flow| self.is_free(flow, destination)) {
                self.begin(probe, run, destination)?;
            }
            if run.is_over() {
                self.attempts.clear();
                return Ok(());
            }
            run.tell()?;
            let next = run.next_at(|flow| self.is_free(flow, destination));
            let woken = self.poller.wait(earlier(next, self.first_end))?;
            if woken.is_interrupted {
                run.stop();
            }
            for Ready { key, is_for_writing } in woken.ready {
                let attempt = self.attempts.get_mut(key);
                if let Some(outcome) = attempt.and_then(|it| it.go(woken.at, is_for_writing)) {
                    self.end(key, outcome, woken.at, run, destination)?;
                }
            }
            if self.first_end.is_some_and(|end| end <= woken.at) {
                self.expire(woken.at, run, destination)?;
            }
        }
    }

    /// Ends those whose time is up, after a last look: what came while the process
    /// was stopped (Ctrl-Z and fg) is not late.
    fn expire(&mut self, now: Instant, run: &mut Run, to: &Destination) -> Result<(), Failure> {
        let is_over = |attempt: &Attempt<'_>| attempt.probe.ends_at() <= now;
        while let Some((key, _)) = self.attempts.iter().find(|(_, attempt)| is_over(attempt)) {
            let attempt = &mut self.attempts[key];
            let outcome = attempt.go(now, false).unwrap_or_else(|| attempt.timed_out());
            self.end(key, outcome, now, run, to)?;
        }
        self.first_end = self.attempts.iter().map(|(_, attempt)| attempt.probe.ends_at()).min();
        Ok(())
    }

    /// Whether `flow` may send a probe. One whose port was asked for has no other.
    fn is_free(&self, flow: u32, destination: &Destination) -> bool {
        self.attempts.len() < self.poller.most_sockets()
            && (destination.source_port().is_none()
                || !self.attempts.iter().any(|(_, attempt)| attempt.probe.due.flow == flow))
    }

    /// Sends `probe`; where that comes to nothing at once, goes on to the
    /// addresses after it.
    fn begin(&mut self, mut probe: Probe, run: &mut Run, to: &Destination) -> Result<(), Failure> {
        loop {
            probe.begin(Instant::now());
            let trouble = match self.connect(&probe, run, to) {
                Ok(connection) => {
                    self.first_end = earlier(self.first_end, Some(probe.ends_at()));
                    self.attempts.insert(Attempt::new(probe, connection, self.order));
                    return Ok(());
                }
                Err(trouble) => trouble,
            };
            let outcome = Outcome::failed(Some(probe.address()), trouble);
            match run.ended(probe, outcome, Instant::now()) {
                Some(next) => probe = next,
                None => return Ok(()),
            }
        }
    }

    /// A connection for `probe`, of whose readiness the loop hears.
    fn connect(
        &mut self,
        probe: &Probe,
        run: &Run,
        destination: &Destination,
    ) -> Result<Connection, Trouble> {
        let (flow, peer) = (probe.due.flow, probe.address());
        debug!("[*] Connecting to: {peer}");
        let source = destination.source_of_flow(peer, flow)?;
        // Linux has connect(2) choose ports of one parity, and bind(2) of the other:
        // flows have both, for the paths that they are to find.
        let parity = [Chooser::Connect, Chooser::Bind][flow as usize % 2];
        let chooser = run.keeps_ports().then_some(parity);
        let kept = if run.keeps_ports() { self.keep(flow).take() } else { None };
        let kept = kept.map(|port| {
            let mut own = source.unwrap_or_else(|| any_address(peer));
            own.set_port(port);
            own
        });
        let mut connection = match Connection::open(peer, kept.or(source), chooser) {
            // Another connection may still have it (TIME_WAIT): then any will do.
            Err(trouble) if kept.is_some() && trouble.verdict == Verdict::Local => {
                Connection::open(peer, source, chooser)?
            }
            Err(trouble) => {
                *self.keep(flow) = kept.map(|own| own.port());
                return Err(trouble);
            }
            Ok(connection) => connection,
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.attempts.vacant_key());
        self.poller.registry().register(connection.source(), token, both)?;
        Ok(connection)
    }

    /// `outcome` came of the attempt at `key`.
    fn end(
        &mut self,
        key: usize,
        outcome: Outcome,
        now: Instant,
        run: &mut Run,
        destination: &Destination,
    ) -> Result<(), Failure> {
        let attempt = self.attempts.remove(key);
        if run.keeps_ports() {
            *self.keep(attempt.probe.due.flow) = Some(attempt.source_port());
        }
        match run.ended(attempt.into_probe(), outcome, now) {
            Some(next) => self.begin(next, run, destination),
            None => Ok(()),
        }
    }

    fn keep(&mut self, flow: u32) -> &mut Option<u16> {
        let flow = flow as usize;
        if self.kept.len() <= flow {
            self.kept.resize(flow + 1, None);
        }
        &mut self.kept[flow]
    }
}
