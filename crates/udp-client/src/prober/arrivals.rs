//! What comes to a port, or fails to come in time: the reply to the probe that is out, an ICMP
//! error, a stray.

use std::mem;
use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::arrival::{self, Arrival};
use common::probe::outcome::Outcome;
use common::probe::outcome::trouble::Trouble;
use common::probe::run::Run;
use common::probe::verbose;
use mio::Interest;

use super::Prober;
use crate::exchange::{Ends, MOST_RECEIVED, Received, Step, is_same};
use crate::port::{Drained, drain};
use crate::ports::slot::{Expiry, Out};

impl Prober<'_> {
    /// Goes on at the port at `key`, which is ready: with its exchange if a probe is out, or
    /// else with strays.
    pub(super) fn on_ready(
        &mut self,
        key: usize,
        woken: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
        if self.ports.probe(key).is_some() {
            self.step(key, woken, run)
        } else {
            self.drain(key, woken, run)
        }
    }

    /// Goes on with the exchange at `key` as far as possible. The socket was ready at
    /// `woken`.
    pub(super) fn step(
        &mut self,
        key: usize,
        woken: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
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
                Step::TooLarge(narrow) => {
                    verbose::say(format_args!("[*] {narrow}: sending again, in fragments"));
                }
                Step::Wait => return Ok(()),
                Step::WaitToSend => {
                    port.is_registered_for_writing = true;
                    return self.reregister(key, Interest::READABLE | Interest::WRITABLE);
                }
                Step::Sent(at) => {
                    let has_waited = mem::take(&mut port.is_registered_for_writing);
                    self.ports.sent(key, at, |probe| run.begin(probe, at, Instant::now()));
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
        let Arrival { at, lay } = self.arrived(key, &reply, woken);
        if self.ports.probe(key).is_some_and(|probe| probe.ends_at() < at) {
            self.time_out(key, woken, run);
            self.stray(key, reply, woken, run)?;
        } else if let Some(Out { probe, sent }) = self.ports.end(key, None, woken) {
            let port = self.ports.get(key);
            let local = reply.to.or(port.map(|port| port.ends.local));
            let mtu = port.and_then(|port| port.exchange.narrow()?.mtu);
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
                host: lay,
                took: Some(at.saturating_duration_since(probe.begun())),
                complete: Some(true),
                mtu,
                dscp_reply: reply.dscp,
                ..Outcome::of(Some(probe.address()), self.expected_reply.judge(text))
            };
            self.take_in(&probe, outcome, woken, run);
        }
        self.drain(key, woken, run)
    }

    /// When `datagram` came to the port at `key`, which was ready at `woken`.
    fn arrived(&self, key: usize, datagram: &Received, woken: Instant) -> Arrival {
        let Some(sent) = self.ports.sent_at(key) else {
            return Arrival { at: woken, lay: None };
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
            let port = self.ports.get_mut(key);
            let mtu = port.as_ref().and_then(|port| port.exchange.narrow()?.mtu);
            let local = port.map(|port| self.opener.update_local(port));
            let outcome = Outcome { local, mtu, ..Outcome::failed(Some(probe.address()), trouble) };
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
    pub(super) fn end_expired(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
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
    pub(super) fn drain(&mut self, key: usize, now: Instant, run: &mut Run) -> Result<(), Failure> {
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
        let Arrival { at, .. } = self.arrived(key, &datagram, woken);
        let stray = self.ports.stray(key, is_same(datagram.from, peer), at);
        let local = datagram.to.unwrap_or(local);
        stray.map_or(Ok(()), |stray| run.stray(stray, datagram.from, local))
    }
}
