//! The loop that sends probes, of which a source port has one out at most: it
//! waits for readiness, for the next one to be due, or for the end of one's time.

use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::destination::Destination;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::verdict::Verdict;
use common::probe::outcome::{Outcome, Outcomes};
use common::probe::poller::{Poller, Ready, earlier};
use common::probe::run::Run;
use common::probe::source_port::Stray;
use mio::{Interest, Token};
use slab::Slab;

use crate::exchange::{MOST_HEARD, Step, clear, is_same};
use crate::port::{Out, Port};

/// More than any datagram holds.
const RECEIVE_SIZE: usize = 64 * 1024;

/// Sends probes, and hears what comes of them.
#[derive(Debug)]
pub struct Prober {
    poller: Poller,
    buffer: Vec<u8>,
    ports: Slab<Port>,
    /// The port that each flow has used last: most often it is free again.
    used: Vec<usize>,
    /// From how many of them a probe is out.
    out: usize,
    /// Nothing of theirs ends before.
    first_end: Option<Instant>,
}

/// What is sent: the probes of a run, of which each is this datagram.
struct Order<'a> {
    run: &'a mut Run,
    destination: &'a Destination,
    datagram: &'a [u8],
}

impl Prober {
    /// A prober that has sent nothing yet.
    pub fn new() -> Result<Self, Failure> {
        let (poller, buffer, ports) = (Poller::new()?, vec![0; RECEIVE_SIZE], Slab::new());
        Ok(Self { poller, buffer, ports, used: Vec::new(), out: 0, first_end: None })
    }

    /// From now on signals end a run, rather than the process.
    pub fn stop_on_signals(&mut self) -> Result<(), Failure> {
        self.poller.catch_signals()
    }

    /// A single exchange, until `end` at the latest: what came of it.
    pub fn exchange(
        &mut self,
        destination: &Destination,
        datagram: &[u8],
        end: Option<Instant>,
    ) -> Result<Outcomes, Failure> {
        let mut run = Run::once(destination, Instant::now(), end);
        self.drive(&mut run, destination, datagram)?;
        Ok(run.into_outcomes())
    }

    /// Sends the probes of `run` as they are due, until it is over.
    pub fn drive(
        &mut self,
        run: &mut Run,
        destination: &Destination,
        datagram: &[u8],
    ) -> Result<(), Failure> {
        let mut order = Order { run, destination, datagram };
        let order = &mut order;
        // What came since, while nobody listened.
        self.expire(Instant::now(), order)?;
        self.clear_all(order)?;
        loop {
            let now = Instant::now();
            order.run.tick(now);
            while let Some(probe) = order.run.take(now, |flow| self.is_free(flow, destination)) {
                self.begin(probe, order)?;
            }
            if order.run.is_over() {
                return self.clear_all(order);
            }
            order.run.tell()?;
            let next = order.run.next_at(|flow| self.is_free(flow, destination));
            let woken = self.poller.wait(earlier(next, self.first_end))?;
            if woken.is_interrupted {
                order.run.stop();
            }
            for Ready { key, .. } in woken.ready {
                self.hear(key, woken.at, order)?;
            }
            if self.first_end.is_some_and(|end| end <= woken.at) {
                self.expire(woken.at, order)?;
            }
        }
    }

    /// Whether `flow` may send a probe. One whose port was asked for has no other.
    fn is_free(&self, flow: u32, destination: &Destination) -> bool {
        let mut ports = self.ports.iter().map(|(_, port)| port);
        self.out < self.poller.most_sockets()
            && (destination.source_port().is_none()
                || ports.all(|port| port.state.flow() != flow || port.is_free()))
    }

    /// Sends `probe`; where that comes to nothing at once, goes on to the
    /// addresses after it.
    fn begin(&mut self, mut probe: Probe, order: &mut Order<'_>) -> Result<(), Failure> {
        loop {
            let trouble = match self.port_for(&probe, order.destination) {
                Ok(key) => return self.send(key, probe, order),
                Err(trouble) => trouble,
            };
            let outcome = Outcome::failed(Some(probe.address()), trouble);
            match order.run.ended(probe, outcome, Instant::now()) {
                Some(next) => probe = next,
                None => return Ok(()),
            }
        }
    }

    /// Sends `probe` from the port at `key`.
    fn send(&mut self, key: usize, probe: Probe, order: &mut Order<'_>) -> Result<(), Failure> {
        self.out += 1;
        self.note_used(probe.due.flow, key);
        let now = probe.begun;
        self.ports[key].send(probe);
        self.note_end(key);
        self.go(key, now, order)
    }

    /// The port that `probe` is sent from: one that is free, or another.
    fn port_for(&mut self, probe: &Probe, destination: &Destination) -> Result<usize, Trouble> {
        let (flow, address) = (probe.due.flow, probe.address());
        let is_free = |port: &Port| port.is_free_for(flow, address);
        let used = self.used.get(flow as usize).copied();
        if let Some(key) = used.filter(|key| self.ports.get(*key).is_some_and(is_free)) {
            return Ok(key);
        }
        if let Some((key, _)) = self.ports.iter().find(|(_, port)| is_free(port)) {
            return Ok(key);
        }
        let source = destination.source_of_flow(address, flow)?;
        if destination.source_port().is_some() {
            // It may be open for another address.
            self.ports.retain(|_, port| port.state.flow() != flow);
        } else if self.ports.len() >= self.poller.most_sockets() {
            self.make_room();
        }
        let mut port = Port::open(address, source, flow)?;
        let entry = self.ports.vacant_entry();
        let key = entry.key();
        // Not for writing, of which the loop would hear each time that a datagram has
        // left.
        self.poller.registry().register(&mut port.socket, Token(key), Interest::READABLE)?;
        entry.insert(port);
        Ok(key)
    }

    fn note_used(&mut self, flow: u32, key: usize) {
        let flow = flow as usize;
        if self.used.len() <= flow {
            self.used.resize(flow + 1, key);
        }
        self.used[flow] = key;
    }

    /// Closes the port that has been quiet for longest, or is not needed.
    fn make_room(&mut self) {
        let unused = self.ports.iter().filter(|(_, port)| port.out.is_none());
        let order = |port: &Port| (port.is_free(), port.state.quiet_until());
        let first = unused.min_by_key(|(_, port)| order(port)).map(|(key, _)| key);
        first.map(|key| self.ports.remove(key));
    }

    /// Something has come to a port.
    fn hear(&mut self, key: usize, woken: Instant, order: &mut Order<'_>) -> Result<(), Failure> {
        match self.ports.get(key).map(|port| port.out.is_some()) {
            Some(true) => self.go(key, woken, order),
            Some(false) => self.clear(key, woken, order),
            None => Ok(()),
        }
    }

    /// Goes on with the exchange of a port, which was ready at `woken`.
    fn go(&mut self, key: usize, woken: Instant, order: &mut Order<'_>) -> Result<(), Failure> {
        // Strangers may send without end.
        for _ in 0..MOST_HEARD {
            let Port { socket, way, out: Some(out), .. } = &mut self.ports[key] else {
                return Ok(());
            };
            match out.exchange.step(socket, way, order.datagram, &mut self.buffer) {
                Step::Again => {}
                Step::Wait => return Ok(()),
                Step::WaitToSend => {
                    out.waits_to_send = true;
                    return self.wait_for(key, Interest::READABLE | Interest::WRITABLE);
                }
                Step::Sent(at) => {
                    let has_waited = mem::take(&mut out.waits_to_send);
                    self.ports[key].sent(at);
                    return if has_waited {
                        self.wait_for(key, Interest::READABLE)
                    } else {
                        Ok(())
                    };
                }
                Step::Foreign(from) => self.stray(key, from, woken, order)?,
                Step::Done(result) => {
                    let result = result.map(|len| self.buffer[..len].to_vec());
                    return self.end(key, result, woken, order);
                }
            }
        }
        self.wait_for(key, Interest::READABLE)
    }

    /// Waits anew: for something else, or for what is there already, of which the
    /// loop would not hear again (epoll(7), edge-triggered).
    fn wait_for(&mut self, key: usize, interest: Interest) -> Result<(), Failure> {
        self.poller.reregister(&mut self.ports[key].socket, key, interest)
    }

    /// The probe that is out has ended: its reply was there at `arrived`.
    fn end(
        &mut self,
        key: usize,
        result: Result<Vec<u8>, Trouble>,
        arrived: Instant,
        order: &mut Order<'_>,
    ) -> Result<(), Failure> {
        let port = &mut self.ports[key];
        let Some(Out { probe, sent, .. }) = port.out.take() else {
            return Ok(());
        };
        self.out -= 1;
        // What could not be sent has failed just now.
        let arrived = if sent.is_some() { arrived } else { Instant::now() };
        let until = arrived + order.destination.timeout();
        match &result {
            Ok(_) => port.state.answered(),
            Err(trouble) if is_silence(trouble) => port.state.silent(until),
            // No reply is to come.
            Err(_) => {}
        }
        let outcome = port.outcome(sent, result, arrived);
        let next = order.run.ended(probe, outcome, arrived);
        if next.is_some() {
            port.state.given_up();
        }
        self.note_end(key);
        self.clear(key, arrived, order)?;
        next.map_or(Ok(()), |next| self.begin(next, order))
    }

    /// Ends those whose time is up, after a last look: what came while the process
    /// was stopped (Ctrl-Z and fg) is not late. Closes ports that were quiet for
    /// long enough.
    fn expire(&mut self, now: Instant, order: &mut Order<'_>) -> Result<(), Failure> {
        for key in self.keys() {
            // It may have been closed meanwhile, to make room.
            let Some(port) = self.ports.get(key) else {
                continue;
            };
            if port.late(now).is_some() {
                self.go(key, now, order)?;
                if let Some(out) = self.ports.get(key).and_then(|port| port.late(now)) {
                    let trouble = out.exchange.timed_out(out.probe.limit);
                    self.end(key, Err(trouble), now, order)?;
                }
            } else if port.state.quiet_until().is_some_and(|until| until <= now) {
                self.clear(key, now, order)?;
                if order.destination.source_port().is_some() {
                    self.ports[key].state.wake();
                } else {
                    self.ports.remove(key);
                }
            }
        }
        self.first_end = self.ports.iter().filter_map(|(_, port)| port.next_end()).min();
        Ok(())
    }

    /// Takes what has come to any such port.
    fn clear_all(&mut self, order: &mut Order<'_>) -> Result<(), Failure> {
        self.keys().into_iter().try_for_each(|key| self.clear(key, Instant::now(), order))
    }

    /// Takes what has come to a port from which nothing is out.
    fn clear(&mut self, key: usize, now: Instant, order: &mut Order<'_>) -> Result<(), Failure> {
        let Some(port) = self.ports.get(key).filter(|port| port.out.is_none()) else {
            return Ok(());
        };
        let mut heard = Vec::new();
        let is_empty = clear(&port.socket, &mut self.buffer, |from| heard.push(from));
        heard.into_iter().try_for_each(|from| self.stray(key, from, now, order))?;
        if is_empty { Ok(()) } else { self.wait_for(key, Interest::READABLE) }
    }

    /// What came from there is no reply that a probe waits for.
    fn stray(
        &mut self,
        key: usize,
        from: SocketAddr,
        now: Instant,
        order: &mut Order<'_>,
    ) -> Result<(), Failure> {
        let port = &mut self.ports[key];
        let until = now + order.destination.timeout();
        let local = port.way.local;
        let stray: Option<Stray> = port.state.stray(is_same(from, port.way.peer), now, until);
        self.note_end(key);
        stray.map_or(Ok(()), |stray| order.run.stray(stray, from, local))
    }

    /// What is under way at a port ends at a time.
    fn note_end(&mut self, key: usize) {
        self.first_end = earlier(self.first_end, self.ports[key].next_end());
    }

    fn keys(&self) -> Vec<usize> {
        self.ports.iter().map(|(key, _)| key).collect()
    }
}

/// Whether a reply may still come.
fn is_silence(trouble: &Trouble) -> bool {
    matches!(trouble.verdict, Verdict::NoReply | Verdict::WrongSource)
}
