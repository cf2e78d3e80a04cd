//! The end of a run: asks a witness in which direction probes were lost, by a way of its own.

use std::time::{Duration, Instant, SystemTime};

use common::exit::Failure;
use common::inquiry::Answer;
use common::probe::ledger::directions::Directions;
use common::probe::run::Run;
use common::probe::run::ending::Patience;
use mio::{Interest, Token};

use super::Prober;
use crate::directions::{Asked, Inquiry, Ports, Sender};
use crate::exchange::{MOST_RECEIVED, Socket, is_same};
use crate::port::Port;

/// By how much the clock that is never set, and that stands still while this machine sleeps, may
/// differ from the wall clock after a run.
const SLEPT: Duration = Duration::from_secs(1);

impl Prober<'_> {
    /// Sends the probes of `run`, each with `datagram`, until it is over. If some were lost, and a
    /// witness has answered the others, asks in which direction.
    pub fn measure(&mut self, run: &mut Run, datagram: &[u8]) -> Result<(), Failure> {
        let (begun, wall) = (Instant::now(), SystemTime::now());
        self.drive(run, datagram)?;
        run.report_ended()?;
        let Some(host) = run.ledger().witness().filter(|_| run.ledger().lost() > 0) else {
            return Ok(());
        };
        let (host, now) = (host.to_owned(), Instant::now());
        // If the clock was set, or this machine has slept, it does not know how long ago it sent.
        let slept = wall.elapsed().unwrap_or_default().abs_diff(now - begun) > SLEPT;
        if slept || !self.opener.has_stayed() {
            return Ok(());
        }
        let open = self.ports.accounts();
        let open = open.map(|(port, account)| Sender { port: port.socket.port(), account });
        let Some(ports) = Ports::of(open, run.ledger().lost()) else {
            return Ok(());
        };
        let (mut sum, patience) = (Directions::default(), run.patience(now));
        for inquiry in ports.inquiries() {
            let Some(Directions { there, back }) = self.ask(inquiry, &host, patience, run)? else {
                return Ok(());
            };
            sum.there += there;
            sum.back += back;
        }
        run.note_directions(sum);
        Ok(())
    }

    /// Sends `inquiry`, each time from a port of its own, and returns what follows from the answer.
    /// None if there is none in time, or nothing follows, or a signal comes.
    fn ask(
        &mut self,
        inquiry: Inquiry<'_>,
        host: &str,
        patience: Patience,
        run: &mut Run,
    ) -> Result<Option<Directions>, Failure> {
        for _ in 0..patience.tries {
            if patience.until <= Instant::now() {
                break;
            }
            let Some(mut port) = self.open_another(run) else {
                break;
            };
            let at = Instant::now();
            let until = patience.until.min(at + patience.each);
            let (own, answered_at) = (port.ends.local, at);
            let mut asked = Asked { host, own, at, answered_at, patience: patience.each };
            if port.socket.send(&inquiry.bytes(&asked), port.ends.peer).is_err() {
                break;
            }
            while asked.answered_at < until {
                let woken = self.poller.wait(Some(until))?;
                if let Some(signal) = woken.signal {
                    run.interrupt(signal, woken.at)?;
                    return Ok(None);
                }
                asked.answered_at = woken.at;
                if let Some(known) = self.receive_answer(&mut port, inquiry, &mut asked) {
                    return Ok(known);
                }
            }
        }
        Ok(None)
    }

    /// A port that is not one of the run's: another way through the network than those on which
    /// probes were lost.
    fn open_another(&mut self, run: &Run) -> Option<Port> {
        let destination = run.destination();
        let address = run.ledger().address?;
        let mut source = destination.source_of_flow(address, 0).ok()?;
        if let Some(source) = &mut source {
            source.set_port(0);
        }
        let mut port = self.opener.open(address, source).ok()?;
        let token = Token(self.ports.next_key());
        let registry = self.poller.registry();
        registry.register(port.socket.source(), token, Interest::READABLE).ok()?;
        Some(port)
    }

    /// What follows from the answer, if it has come.
    fn receive_answer(
        &mut self,
        port: &mut Port,
        inquiry: Inquiry<'_>,
        asked: &mut Asked<'_>,
    ) -> Option<Option<Directions>> {
        for _ in 0..MOST_RECEIVED {
            let received = port.socket.receive(&mut self.buffer).ok()?;
            let answer = Answer::parse(&self.buffer[..received.len]);
            if let Some(answer) = answer.filter(|_| is_same(received.from, port.ends.peer)) {
                asked.own = received.to.unwrap_or(asked.own);
                return Some(inquiry.conclude(&answer, asked));
            }
        }
        None
    }
}
