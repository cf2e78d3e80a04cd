//! The loop that sends probes over UDP: it waits for a socket that is ready, for the next
//! probe to be due, or for the end of a probe's time.
//!
//! [`Run`] says which probe is due, [`Ports`] from which port it leaves, and
//! [`exchange`](crate::exchange) makes the calls. The loop only brings the three together.

use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::destination::Destination;
use common::probe::outcome::expected_reply::ExpectedReply;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::{Ended, Outcome};
use common::probe::poller::{Poller, Ready, earlier};
use common::probe::run::Run;
use common::probe::target::Target;
use mio::{Interest, Token};

use crate::exchange::{Ends, Exchange, MOST_RECEIVED, Step, is_same};
use crate::port::{Port, drain};
use crate::ports::{Expiry, Out, Policy, Ports};

/// More than any datagram holds.
const RECEIVE_SIZE: usize = 64 * 1024;

/// Sends probes, and receives what comes back.
#[derive(Debug)]
pub struct Prober<'r> {
    poller: Poller,
    ports: Ports<Port>,
    buffer: Vec<u8>,
    /// What each probe sends.
    datagram: Vec<u8>,
    /// What a reply is expected to be.
    expected_reply: ExpectedReply<'r>,
}

impl<'r> Prober<'r> {
    /// A prober of `target` that has sent nothing yet.
    pub fn new(target: &Target, expected_reply: ExpectedReply<'r>) -> Result<Self, Failure> {
        let poller = Poller::new()?;
        let ports = Ports::new(Policy::of(target, poller.most_sockets()));
        let (buffer, datagram) = (vec![0; RECEIVE_SIZE], Vec::new());
        Ok(Self { poller, ports, buffer, datagram, expected_reply })
    }

    /// Makes signals end a run from now on, and not the process.
    pub fn stop_on_signals(&mut self) -> Result<(), Failure> {
        self.poller.catch_signals()
    }

    /// Sends `datagram`, and receives the reply: a single exchange, until `end` at the
    /// latest.
    pub fn exchange(
        &mut self,
        destination: &Destination,
        datagram: &[u8],
        end: Option<Instant>,
    ) -> Result<Ended, Failure> {
        let mut run = Run::once(destination.clone(), Instant::now(), end);
        self.drive(&mut run, datagram)?;
        Ok(run.into_ended())
    }

    /// Sends the probes of `run` as they are due, each with `datagram`, until the run is
    /// over.
    pub fn drive(&mut self, run: &mut Run, datagram: &[u8]) -> Result<(), Failure> {
        self.datagram = datagram.to_vec();
        // First deal with what has come or ended since the last run.
        self.end_expired(Instant::now(), run)?;
        self.drain_all(run)?;
        loop {
            let now = Instant::now();
            run.begin_turn(now);
            while let Some(probe) = run.take(now, &|flow| self.ports.is_free(flow)) {
                self.begin(probe, run)?;
            }
            let listening = self.ports.listens_until();
            if run.is_over(now, listening) {
                return self.drain_all(run);
            }
            run.report_ended()?;
            self.poller.watch_output(run.is_waiting_for_reader());
            let next = run.next_at(&|flow| self.ports.is_free(flow), listening);
            let woken = self.poller.wait(earlier(next, self.ports.first_end()))?;
            if let Some(signal) = woken.signal {
                run.interrupt(signal, woken.at);
            }
            for Ready { key, .. } in woken.ready {
                self.on_ready(key, woken.at, run)?;
            }
            if self.ports.first_end().is_some_and(|end| end <= woken.at) {
                self.end_expired(woken.at, run)?;
            }
        }
    }

    /// Sends `probe`.
    fn begin(&mut self, probe: Probe, run: &mut Run) -> Result<(), Failure> {
        match self.port_for(&probe, run) {
            Ok(key) => self.send(key, probe, run),
            Err(trouble) => {
                let outcome = Outcome::failed(Some(probe.address()), trouble);
                run.take_in(&probe, outcome, Instant::now());
                Ok(())
            }
        }
    }

    /// The port that `probe` leaves from: one that is free, or else a new one.
    fn port_for(&mut self, probe: &Probe, run: &mut Run) -> Result<usize, Trouble> {
        let (flow, address) = (probe.flow(), probe.address());
        if let Some(key) = self.ports.free_port(flow, address) {
            return Ok(key);
        }
        let source = run.destination().source_of_flow(address, flow)?;
        if let Some((_, Some(Out { probe, .. }))) = self.ports.make_room(flow) {
            // With --source-port there is no other port for the probe's next address.
            let trouble = Trouble::no_reply(probe.begun().elapsed());
            run.take_in(&probe, Outcome::failed(Some(probe.address()), trouble), Instant::now());
        }
        let mut port = Port::open(address, source)?;
        let token = Token(self.ports.next_key());
        // Not for writing: the loop would be woken each time that a datagram has left.
        self.poller.registry().register(&mut port.socket, token, Interest::READABLE)?;
        Ok(self.ports.add(flow, address, port))
    }

    /// Sends `probe` from the port at `key`.
    fn send(&mut self, key: usize, probe: Probe, run: &mut Run) -> Result<(), Failure> {
        let now = probe.begun();
        self.ports.begin(key, probe);
        if let Some(port) = self.ports.get_mut(key) {
            port.exchange = Exchange::new();
        }
        self.step(key, now, run)
    }

    /// Goes on at the port at `key`, which is ready: with its exchange if a probe is out, or
    /// else with strays.
    fn on_ready(&mut self, key: usize, woken: Instant, run: &mut Run) -> Result<(), Failure> {
        if self.ports.probe(key).is_some() {
            self.step(key, woken, run)
        } else {
            self.drain(key, woken, run)
        }
    }

    /// Goes on with the exchange at `key` as far as possible. The socket was ready at
    /// `woken`.
    fn step(&mut self, key: usize, woken: Instant, run: &mut Run) -> Result<(), Failure> {
        // Bounded, because strangers may send without end.
        for _ in 0..MOST_RECEIVED {
            if self.ports.probe(key).is_none() {
                return Ok(());
            }
            let Self { ports, datagram, buffer, .. } = self;
            let Some(port) = ports.get_mut(key) else {
                return Ok(());
            };
            match port.exchange.step(&port.socket, &port.ends, datagram, buffer) {
                Step::Again => {}
                Step::Wait => return Ok(()),
                Step::WaitToSend => {
                    port.is_registered_for_writing = true;
                    return self.reregister(key, Interest::READABLE | Interest::WRITABLE);
                }
                Step::Sent(at) => {
                    let has_waited = mem::take(&mut port.is_registered_for_writing);
                    self.ports.sent(key, at, |probe| run.begin(probe, at));
                    if has_waited {
                        return self.reregister(key, Interest::READABLE);
                    }
                    return Ok(());
                }
                Step::Foreign(from) => self.stray(key, from, woken, run)?,
                Step::Done(result) => {
                    let result = result.map(|len| self.buffer[..len].to_vec());
                    return self.end(key, result, woken, run);
                }
            }
        }
        self.reregister(key, Interest::READABLE)
    }

    /// Ends the probe at `key` with `result`. A reply was there at `arrived`.
    fn end(
        &mut self,
        key: usize,
        result: Result<Vec<u8>, Trouble>,
        arrived: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let Some(Out { probe, sent }) = self.ports.end(key, result.as_ref().err(), arrived) else {
            return Ok(());
        };
        // If the datagram could not be sent, the probe has failed just now.
        let arrived = if sent.is_some() { arrived } else { Instant::now() };
        let outcome = self.outcome(key, &probe, sent, result, arrived);
        if run.take_in(&probe, outcome, arrived) {
            self.ports.settle(probe.number());
        }
        self.drain(key, arrived, run)
    }

    /// What came of `probe` at `key`, whose reply was there at `arrived`.
    fn outcome(
        &self,
        key: usize,
        probe: &Probe,
        sent: Option<Instant>,
        result: Result<Vec<u8>, Trouble>,
        arrived: Instant,
    ) -> Outcome {
        // If the loop did not have to wait for the reply, it counts as arrived now.
        let since = |sent| if arrived > sent { arrived - sent } else { sent.elapsed() };
        let reply = sent.filter(|_| result.is_ok()).map(since);
        let local = self.ports.get(key).map(|port| port.ends.local);
        // A datagram is all of a reply.
        let complete = result.is_ok().then_some(true);
        let result = result.and_then(|reply| self.expected_reply.judge(reply));
        Outcome { local, reply, complete, ..Outcome::of(Some(probe.address()), result) }
            .without_own_address_as_router()
    }

    /// Ends the probes whose time is up, after one more look at each socket: a reply that
    /// came while the process was stopped (Ctrl-Z and fg) is not late. Also ends the quiet
    /// of ports.
    fn end_expired(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
        for key in self.ports.keys() {
            match self.ports.expiry(key, now) {
                Some(Expiry::Probe) => {
                    self.step(key, now, run)?;
                    self.time_out(key, now, run)?;
                }
                Some(Expiry::Quiet) => {
                    self.drain(key, now, run)?;
                    self.ports.release(key);
                }
                None => {}
            }
        }
        self.ports.update_first_end();
        Ok(())
    }

    /// Ends the probe at `key`, if one is still out whose time is up.
    fn time_out(&mut self, key: usize, now: Instant, run: &mut Run) -> Result<(), Failure> {
        if self.ports.expiry(key, now) != Some(Expiry::Probe) {
            return Ok(());
        }
        let (Some(probe), Some(port)) = (self.ports.probe(key), self.ports.get(key)) else {
            return Ok(());
        };
        let trouble = port.exchange.timed_out(probe.limit());
        self.end(key, Err(trouble), now, run)
    }

    /// Receives strays at all ports from which no probe is out.
    fn drain_all(&mut self, run: &mut Run) -> Result<(), Failure> {
        self.ports.keys().into_iter().try_for_each(|key| self.drain(key, Instant::now(), run))
    }

    /// Receives strays at the port at `key`, if no probe is out from there.
    fn drain(&mut self, key: usize, now: Instant, run: &mut Run) -> Result<(), Failure> {
        let Some(port) = self.ports.get(key).filter(|_| self.ports.probe(key).is_none()) else {
            return Ok(());
        };
        let mut senders = Vec::new();
        let is_empty = drain(&port.socket, &mut self.buffer, |from| senders.push(from));
        senders.into_iter().try_for_each(|from| self.stray(key, from, now, run))?;
        if is_empty { Ok(()) } else { self.reregister(key, Interest::READABLE) }
    }

    /// Reports a datagram from `from` that no probe at the port at `key` was waiting for.
    fn stray(
        &mut self,
        key: usize,
        from: SocketAddr,
        now: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let Some(Ends { local, peer }) = self.ports.get(key).map(|port| port.ends) else {
            return Ok(());
        };
        let stray = self.ports.stray(key, is_same(from, peer), now);
        stray.map_or(Ok(()), |stray| run.stray(stray, from, local))
    }

    /// Registers the socket at `key` again: because the loop now waits for something else, or
    /// to have the datagrams that are left announced again (epoll(7), edge-triggered).
    fn reregister(&mut self, key: usize, interest: Interest) -> Result<(), Failure> {
        match self.ports.get_mut(key) {
            Some(port) => self.poller.reregister(&mut port.socket, key, interest),
            None => Ok(()),
        }
    }
}
