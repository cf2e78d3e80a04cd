//! The loop that sends probes, each over a connection of its own: it waits for
//! readiness, for the next one to be due, or for the end of one's time.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use common::alarm::Alarm;
use common::destination::Destination;
use common::exit::{Failure, reason};
use common::interrupt::Interrupt;
use common::probe::aim::Probe;
use common::probe::outcome::{Outcome, Outcomes};
use common::probe::run::Run;
use common::probe::trouble::Trouble;
use common::probe::verdict::Verdict;
use log::debug;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::attempt::{Attempt, Order};
use crate::stream;

/// Probes under way at once; those that are due then are sent later. A process
/// may have 1024 descriptors unless it is told otherwise.
const MOST_UNDER_WAY: usize = 500;

const ALARM: Token = Token(usize::MAX);
const INTERRUPT: Token = Token(usize::MAX - 1);

/// Sends probes, and hears what comes of them.
#[derive(Debug)]
pub struct Prober<'m> {
    poll: Poll,
    events: Events,
    order: Order<'m>,
    attempts: Slab<Attempt<'m>>,
    alarm: Alarm,
    interrupt: Option<Interrupt>,
    /// The source port of each flow that keeps one, unless a probe has it.
    kept: Vec<Option<u16>>,
}

impl<'m> Prober<'m> {
    /// A prober that has sent nothing yet.
    pub fn new(order: Order<'m>) -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new().map_err(|error| broken(&error))?,
            events: Events::with_capacity(MOST_UNDER_WAY),
            order,
            attempts: Slab::new(),
            alarm: Alarm::new(ALARM),
            interrupt: None,
            kept: Vec::new(),
        })
    }

    /// From now on signals end a run, rather than the process.
    pub fn stop_on_signals(&mut self) -> Result<(), Failure> {
        let interrupt = Interrupt::new(self.poll.registry(), INTERRUPT);
        self.interrupt = Some(interrupt.map_err(|error| broken(&error))?);
        Ok(())
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
            let woken = self.sleep(run, destination).map_err(|error| broken(&error))?;
            let ready: Vec<_> = self.events.iter().map(|event| event.token().0).collect();
            for key in ready {
                if key == INTERRUPT.0
                    && self.interrupt.as_mut().is_some_and(Interrupt::is_requested)
                {
                    run.stop();
                }
                if let Some(outcome) = self.attempts.get_mut(key).and_then(|a| a.go(woken)) {
                    self.end(key, outcome, woken, run, destination)?;
                }
            }
            self.expire(woken, run, destination)?;
        }
    }

    /// Sleeps until there is something to do; says when it woke.
    fn sleep(&mut self, run: &Run, destination: &Destination) -> io::Result<Instant> {
        let now = Instant::now();
        let next = run.next_at(|flow| self.is_free(flow, destination));
        self.alarm.set(self.poll.registry(), next, now)?;
        let deadline = self.attempts.iter().map(|(_, attempt)| attempt.probe.ends_at()).min();
        let timeout = match next {
            Some(next) if next <= now => Some(Duration::ZERO),
            _ => deadline.map(|deadline| deadline.saturating_duration_since(now)),
        };
        match self.poll.poll(&mut self.events, timeout) {
            // Ctrl-Z and fg.
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(Instant::now()),
        }
    }

    /// Ends those whose time is up, after a last look: what came while the process
    /// was stopped (Ctrl-Z and fg) is not late.
    fn expire(&mut self, now: Instant, run: &mut Run, to: &Destination) -> Result<(), Failure> {
        let is_over = |attempt: &Attempt<'_>| attempt.probe.ends_at() <= now;
        while let Some((key, _)) = self.attempts.iter().find(|(_, attempt)| is_over(attempt)) {
            let attempt = &mut self.attempts[key];
            let outcome = attempt.go(now).unwrap_or_else(|| attempt.timed_out());
            self.end(key, outcome, now, run, to)?;
        }
        Ok(())
    }

    /// Whether `flow` may send a probe. One whose port was asked for has no other.
    fn is_free(&self, flow: u32, destination: &Destination) -> bool {
        self.attempts.len() < MOST_UNDER_WAY
            && (destination.source_port().is_none()
                || !self.attempts.iter().any(|(_, attempt)| attempt.probe.due.flow == flow))
    }

    /// Sends `probe`; where that comes to nothing at once, goes on to the
    /// addresses after it.
    fn begin(&mut self, probe: Probe, run: &mut Run, to: &Destination) -> Result<(), Failure> {
        let mut next = Some(probe);
        while let Some(probe) = next {
            match self.connect(&probe, run, to) {
                Ok(stream) => {
                    self.attempts.insert(Attempt::new(probe, stream, self.order));
                    return Ok(());
                }
                Err(trouble) => {
                    let outcome = Outcome::failed(Some(probe.address), trouble);
                    next = run.ended(probe, outcome, Instant::now())?;
                }
            }
        }
        Ok(())
    }

    /// A connection for `probe`, of whose readiness the loop hears.
    fn connect(
        &mut self,
        probe: &Probe,
        run: &Run,
        destination: &Destination,
    ) -> Result<TcpStream, Trouble> {
        let (flow, peer) = (probe.due.flow, probe.address);
        debug!("[*] Connecting to: {peer}");
        let source = destination.source_of_flow(peer, flow)?;
        let kept = if run.keeps_ports() { self.keep(flow).take() } else { None };
        // Linux has connect(2) choose ports of one parity, and bind(2) of the other:
        // flows have both, for the paths that they are to find.
        let is_bound = run.keeps_ports() && flow % 2 == 1;
        let own = kept.or(is_bound.then_some(0)).map(|port| with_port(source, peer, port));
        let mut stream = match stream::connect(peer, own.or(source)) {
            // Another connection may still have it (TIME_WAIT): then any will do.
            Err(trouble) if own.is_some() && trouble.verdict == Verdict::Local => {
                stream::connect(peer, source)?
            }
            connected => connected?,
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.attempts.vacant_key());
        self.poll.registry().register(&mut stream, token, both)?;
        Ok(stream)
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
            *self.keep(attempt.probe.due.flow) = attempt.source_port();
        }
        match run.ended(attempt.into_probe(), outcome, now)? {
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

/// `source`, or any address of the family of `peer`, with a port.
fn with_port(source: Option<SocketAddr>, peer: SocketAddr, port: u16) -> SocketAddr {
    let any: SocketAddr = if peer.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, port).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, port).into()
    };
    let mut source = source.unwrap_or(any);
    source.set_port(port);
    source
}

fn broken(error: &io::Error) -> Failure {
    Failure::local("event loop", reason(error))
}
