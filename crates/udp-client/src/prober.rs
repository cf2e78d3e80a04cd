//! The loop that sends probes over UDP: it waits for a socket that is ready, for the next
//! probe to be due, or for the end of a probe's time.
//!
//! [`Run`] says which probe is due, [`Ports`] from which port it leaves, and
//! [`exchange`](crate::exchange) makes the calls. The loop only brings the three together.

use std::mem;
use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::arrival;
use common::probe::destination::Destination;
use common::probe::outcome::expected_reply::ExpectedReply;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::{Ended, Outcome};
use common::probe::plan::Plan;
use common::probe::poller::{Poller, Ready, earlier};
use common::probe::run::Run;
use common::probe::stray::Kind;
use common::probe::target::Target;
use mio::{Interest, Token};

use crate::exchange::{Ends, Exchange, MOST_RECEIVED, Received, Step, is_same};
use crate::port::{Drained, Opener, Port, drain};
use crate::ports::Ports;
use crate::ports::flows::Policy;
use crate::ports::slot::{Expiry, Out};

/// More than any datagram holds.
const RECEIVE_SIZE: usize = 64 * 1024;

/// How often one look asks which ports are ready: 1024 of 10,000 at a time, and a stranger may
/// send without end.
const MOST_LOOKS: u32 = 10;

/// Sends probes, and receives what comes back.
#[derive(Debug)]
pub struct Prober<'r> {
    poller: Poller,
    ports: Ports<Port>,
    opener: Opener,
    buffer: Vec<u8>,
    /// What each probe sends.
    datagram: Vec<u8>,
    /// What a reply is expected to be.
    expected_reply: ExpectedReply<'r>,
}

impl<'r> Prober<'r> {
    /// A prober of `target` that has sent nothing yet.
    pub fn new(
        target: &Target,
        plan: Option<&Plan>,
        expected_reply: ExpectedReply<'r>,
    ) -> Result<Self, Failure> {
        let poller = Poller::new()?;
        let policy = Policy::of(target, plan, poller.most_sockets());
        let (ports, opener) = (Ports::new(policy, Instant::now()), Opener::new());
        let (buffer, datagram) = (vec![0; RECEIVE_SIZE], Vec::new());
        Ok(Self { poller, ports, opener, buffer, datagram, expected_reply })
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
        self.look(run)?;
        loop {
            let now = Instant::now();
            run.begin_turn(now);
            self.ports.begin_turn(now);
            while let Some(probe) = run.take(now, &|flow| self.ports.is_free(flow)) {
                self.begin(probe, run)?;
            }
            let listening = self.ports.listens_until();
            if run.is_over(now, listening) {
                return self.look(run);
            }
            run.report_ended()?;
            self.poller.watch_output(run.is_waiting_for_reader());
            let next = run.next_at(&|flow| self.ports.is_free(flow), listening);
            self.wait(earlier(next, self.ports.first_end()), run)?;
        }
    }

    /// Deals with what has come or ended, without waiting for more.
    fn look(&mut self, run: &mut Run) -> Result<(), Failure> {
        for _ in 0..MOST_LOOKS {
            if self.wait(Some(Instant::now()), run)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Waits until `until` at the latest, and deals with what has come or ended. Returns at how
    /// many ports something has come.
    fn wait(&mut self, until: Option<Instant>, run: &mut Run) -> Result<usize, Failure> {
        let woken = self.poller.wait(until)?;
        if let Some(signal) = woken.signal {
            run.interrupt(signal, woken.at);
        }
        let ready = woken.ready.len();
        for Ready { key, .. } in woken.ready {
            self.on_ready(key, woken.at, run)?;
        }
        if self.ports.first_end().is_some_and(|end| end <= woken.at) {
            self.end_expired(woken.at, run)?;
        }
        Ok(ready)
    }

    /// Sends `probe`, from a port that is free, or else from a new one.
    fn begin(&mut self, probe: Probe, run: &mut Run) -> Result<(), Failure> {
        if let Some(key) = self.ports.free_port(probe.flow(), probe.address()) {
            return self.send(key, probe, run);
        }
        self.make_room(probe.flow(), run)?;
        match self.open(&probe, run.destination()) {
            Ok(key) => self.send(key, probe, run),
            Err(trouble) => {
                let outcome = Outcome::failed(Some(probe.address()), trouble);
                run.take_in(&probe, outcome, Instant::now());
                Ok(())
            }
        }
    }

    /// Closes the port that is in the way of one more of `flow`, if one is, after one more look
    /// at what has come to it.
    fn make_room(&mut self, flow: u32, run: &mut Run) -> Result<(), Failure> {
        let Some(key) = self.ports.in_the_way(flow) else {
            return Ok(());
        };
        let now = Instant::now();
        self.drain(key, now, run)?;
        if let (_, Some(Out { probe, .. })) = self.ports.close(key) {
            // With --source-port there is no other port for the probe's next address.
            let trouble = Trouble::no_reply(now.saturating_duration_since(probe.begun()));
            run.take_in(&probe, Outcome::failed(Some(probe.address()), trouble), now);
        }
        Ok(())
    }

    /// Opens a port for `probe`.
    fn open(&mut self, probe: &Probe, destination: &Destination) -> Result<usize, Trouble> {
        let (flow, address) = (probe.flow(), probe.address());
        let mut port = self.opener.open(address, destination.source_of_flow(address, flow)?)?;
        let token = Token(self.ports.next_key());
        // Not for writing: the loop would be woken each time that a datagram has left.
        self.poller.registry().register(port.socket.source(), token, Interest::READABLE)?;
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
                Step::Foreign(datagram) => self.stray(key, datagram, woken, run)?,
                Step::Done(Ok(reply)) => return self.take_reply(key, reply, woken, run),
                Step::Done(Err(trouble)) => {
                    self.fail(key, trouble, woken, run);
                    return self.drain(key, woken, run);
                }
            }
        }
        self.reregister(key, Interest::READABLE)
    }

    /// Ends the probe at `key` with `reply`, which is in the buffer. Whether the reply is late
    /// depends on when it came, and not on when the loop saw it.
    fn take_reply(
        &mut self,
        key: usize,
        reply: Received,
        woken: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let at = self.arrived(key, &reply, woken);
        if self.ports.probe(key).is_some_and(|probe| probe.ends_at() < at) {
            self.time_out(key, woken, run);
            self.stray(key, reply, woken, run)?;
        } else if let Some(Out { probe, sent }) = self.ports.end(key, None, woken) {
            let port = self.ports.get(key);
            let local = reply.to.or(port.map(|port| port.ends.local));
            if port.is_some_and(|port| port.exchange.has_failed()) {
                // An ICMP error came before the reply.
                self.ports.error(key, woken);
            }
            let time = sent.map(|sent| at.saturating_duration_since(sent));
            let text = self.buffer[..reply.len].to_vec();
            // A datagram is all of a reply.
            let outcome = Outcome {
                local,
                reply: time,
                complete: Some(true),
                ..Outcome::of(Some(probe.address()), self.expected_reply.judge(text))
            };
            self.take_in(&probe, outcome, woken, run);
        }
        self.drain(key, woken, run)
    }

    /// When `datagram` came to the port at `key`, which was ready at `woken`.
    fn arrived(&self, key: usize, datagram: &Received, woken: Instant) -> Instant {
        let Some(sent) = self.ports.sent_at(key) else {
            return woken;
        };
        // If the loop did not have to wait for the datagram, it is seen now.
        let seen = if woken > sent { woken } else { Instant::now() };
        arrival::arrived(datagram.stamp, sent, seen)
    }

    /// Ends the probe at `key`, which failed at `now`.
    fn fail(&mut self, key: usize, trouble: Trouble, now: Instant, run: &mut Run) {
        if let Some(Out { probe, sent }) = self.ports.end(key, Some(&trouble), now) {
            // If the datagram could not be sent, the probe has failed just now.
            let now = if sent.is_some() { now } else { Instant::now() };
            let local = self.ports.get_mut(key).map(|port| self.opener.update_local(port));
            let outcome = Outcome { local, ..Outcome::failed(Some(probe.address()), trouble) };
            self.take_in(&probe, outcome.without_own_address_as_router(), now, run);
        }
    }

    /// Hands the `outcome` of `probe` to the run.
    fn take_in(&mut self, probe: &Probe, outcome: Outcome, now: Instant, run: &mut Run) {
        if run.take_in(probe, outcome, now) {
            self.ports.settle(probe.number(), now);
        }
    }

    /// Ends the probes whose time is up, after one more look at each socket: a reply that came
    /// in time is in time, even if the process was stopped meanwhile (Ctrl-Z and fg). Also ends
    /// the quiet of a flow's only port.
    fn end_expired(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
        while let Some((key, expiry)) = self.ports.next_expired(now) {
            match expiry {
                Expiry::Probe => {
                    self.step(key, now, run)?;
                    if self.ports.expiry(key, now) == Some(Expiry::Probe) {
                        self.time_out(key, now, run);
                        self.drain(key, now, run)?;
                    }
                }
                Expiry::Quiet => {
                    self.drain(key, now, run)?;
                    self.ports.wake(key);
                }
            }
        }
        Ok(())
    }

    /// Ends the probe at `key`, whose time is up.
    fn time_out(&mut self, key: usize, now: Instant, run: &mut Run) {
        let limit = self.ports.probe(key).map(Probe::limit);
        if let (Some(limit), Some(port)) = (limit, self.ports.get_mut(key)) {
            let trouble = port.exchange.timed_out(limit);
            self.fail(key, trouble, now, run);
        }
    }

    /// Receives strays at the port at `key`, if no probe is out from there.
    fn drain(&mut self, key: usize, now: Instant, run: &mut Run) -> Result<(), Failure> {
        let Some(port) = self.ports.get(key).filter(|_| self.ports.probe(key).is_none()) else {
            return Ok(());
        };
        let Drained { datagrams, has_errors, is_empty } = drain(&port.socket, &mut self.buffer);
        if has_errors {
            self.ports.error(key, now);
        }
        datagrams.into_iter().try_for_each(|datagram| self.stray(key, datagram, now, run))?;
        if is_empty { Ok(()) } else { self.reregister(key, Interest::READABLE) }
    }

    /// Reports a datagram that no probe at the port at `key`, which was ready at `woken`, was
    /// waiting for.
    fn stray(
        &mut self,
        key: usize,
        datagram: Received,
        woken: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let Some(Ends { local, peer }) = self.ports.get(key).map(|port| port.ends) else {
            return Ok(());
        };
        let at = self.arrived(key, &datagram, woken);
        let stray = self.ports.stray(key, is_same(datagram.from, peer), at);
        let local = datagram.to.unwrap_or(local);
        let Some(stray) = stray else {
            return Ok(());
        };
        if stray.kind == Kind::Late && run.destination().addresses().len() > 1 {
            // What another address says of the same probe is a further answer.
            self.ports.settle(stray.number, at);
        }
        run.stray(stray, datagram.from, local)
    }

    /// Registers the socket at `key` again: because the loop now waits for something else, or
    /// to have the datagrams that are left announced again (epoll(7), edge-triggered).
    fn reregister(&mut self, key: usize, interest: Interest) -> Result<(), Failure> {
        match self.ports.get_mut(key) {
            Some(port) => self.poller.reregister(port.socket.source(), key, interest),
            None => Ok(()),
        }
    }
}
