//! The loop that sends probes over UDP: it waits for a socket that is ready, for the next
//! probe to be due, or for the end of a probe's time.
//!
//! [`Run`] says which probe is due, [`Ports`] from which port it leaves, and
//! [`exchange`](crate::exchange) makes the calls. The loop only brings the three together.
//! What comes to a port is dealt with in `arrivals`; probes that have ended are examined in `examining`.

mod arrivals;
mod examining;
mod inquiry;

use std::time::Instant;

use common::exit::Failure;
use common::probe::aim::Probe;
use common::probe::destination::Destination;
use common::probe::examination::Wanted;
use common::probe::outcome::expected_reply::ExpectedReply;
use common::probe::outcome::trouble::Trouble;
use common::probe::outcome::{Ended, Outcome};
use common::probe::plan::Plan;
use common::probe::poller::{EXAMINATION, Poller, Ready, earlier};
use common::probe::run::Run;
use common::probe::target::Target;
use mio::{Interest, Token};

use crate::exchange::Exchange;
use crate::port::{Opener, Port};
use crate::ports::Ports;
use crate::ports::flows::Policy;
use crate::ports::slot::Out;
use crate::tracing::Tracing;

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
    /// The trace of a probe that has ended.
    tracing: Option<Box<Tracing>>,
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
        let (ports, opener) = (Ports::new(policy, Instant::now()), Opener::new(target.egress()));
        let (buffer, datagram) = (vec![0; RECEIVE_SIZE], Vec::new());
        Ok(Self { poller, ports, opener, buffer, datagram, expected_reply, tracing: None })
    }

    /// Sends `datagram`, and receives the reply: a single exchange, until `end` at the
    /// latest. It is examined as is `wanted`.
    pub fn exchange(
        &mut self,
        destination: &Destination,
        datagram: &[u8],
        end: Option<Instant>,
        wanted: Option<Wanted>,
    ) -> Result<Ended, Failure> {
        let mut run = Run::once(destination.clone(), Instant::now(), end, wanted);
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
            self.examine(now, run)?;
            while let Some(probe) = run.take(now, &|flow| self.ports.is_free(flow)) {
                self.begin(probe, run)?;
            }
            let listening = self.ports.listens_until();
            if run.is_over(now, listening) {
                self.end_examination_of(run, now)?;
                return self.look(run);
            }
            run.report_ended()?;
            self.poller.watch_output(run.watch());
            let next = run.next_at(&|flow| self.ports.is_free(flow), listening);
            let next = earlier(next, self.examined_at());
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
            run.interrupt(signal, woken.at)?;
        }
        while let Some(Ready { key, .. }) = self.poller.next_ready() {
            match key {
                EXAMINATION => self.examination_is_ready(),
                _ => self.on_ready(key, woken.at, run)?,
            }
        }
        if self.ports.first_end().is_some_and(|end| end <= woken.at) {
            self.end_expired(woken.at, run)?;
        }
        Ok(woken.ready)
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
        let registered =
            self.poller.registry().register(port.socket.source(), token, Interest::READABLE);
        registered.map_err(|error| Trouble::here(&error))?;
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

    /// Registers the socket at `key` again: because the loop now waits for something else, or
    /// to have the datagrams that are left announced again (epoll(7), edge-triggered).
    fn reregister(&mut self, key: usize, interest: Interest) -> Result<(), Failure> {
        match self.ports.get_mut(key) {
            Some(port) => self.poller.reregister(port.socket.source(), key, interest),
            None => Ok(()),
        }
    }
}
