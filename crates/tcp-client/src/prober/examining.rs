//! The examination of a probe that has ended, beside those that are under way: first the search for
//! the segments that pass, if a silence suggests it, then the trace, if it is asked for.

use std::rc::Rc;
use std::time::Instant;

use common::exit::Failure;
use common::probe::examination::Subject;
use common::probe::poller::{EXAMINATION, Poller, earlier};
use common::probe::run::Run;
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::Prober;
use crate::searching::{self, Searching};
use crate::tracing::{Step, Tracing};

impl Prober<'_> {
    /// Begins to examine what `run` wants examined, or goes on with it.
    pub(super) fn examine(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
        if let Some(subject) = run.begin_examination(now) {
            let flow = subject.flow;
            let source = run.destination().source_of_flow(subject.address, flow).ok().flatten();
            self.searching =
                Searching::new(&subject, self.request, source, Rc::clone(&self.egress), now)
                    .map(Box::new);
            if self.searching.is_none() {
                self.trace(&subject, now, run)?;
            }
        }
        self.search(now, run)?;
        let Some(tracing) = &mut self.tracing else {
            return Ok(());
        };
        match tracing.go_on(now) {
            Step::Wait => Ok(()),
            Step::Asked(socket) => register(&self.poller, socket),
            Step::Done => self.end_examination(run),
        }
    }

    /// Goes on with the search, if there is one.
    fn search(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
        let Some(searching) = &mut self.searching else {
            return Ok(());
        };
        match searching.go_on(now, &mut self.buffer) {
            searching::Step::Wait => Ok(()),
            searching::Step::Asked(socket) => register(&self.poller, socket),
            searching::Step::Done => {
                let subject = *searching.subject();
                self.found = searching.found();
                self.searching = None;
                self.trace(&subject, now, run)
            }
        }
    }

    /// Traces `subject`, if that is asked for. Otherwise the examination is over.
    fn trace(&mut self, subject: &Subject, now: Instant, run: &mut Run) -> Result<(), Failure> {
        if !subject.is_traced {
            return self.end_examination(run);
        }
        // The flow has a connection more from its port.
        self.flows.connecting(subject.flow, subject.local.port());
        self.tracing = Some(Box::new(Tracing::new(subject, Rc::clone(&self.egress), now)));
        Ok(())
    }

    /// When the examination has to go on at the latest, if there is one.
    pub(super) fn examined_at(&self) -> Option<Instant> {
        let searched = self.searching.as_ref().map(|searching| searching.next_at());
        earlier(searched, self.tracing.as_ref().map(|tracing| tracing.next_at()))
    }

    /// Notes that something has come to the socket by which a probe is examined.
    pub(super) fn examination_is_ready(&mut self) {
        if let Some(searching) = &mut self.searching {
            searching.is_ready = true;
        }
        if let Some(tracing) = &mut self.tracing {
            tracing.is_ready = true;
        }
    }

    /// Ends the examination, unless it goes on when `run`, which returns at `now`, is driven again.
    pub(super) fn end_examination_of(
        &mut self,
        run: &mut Run,
        now: Instant,
    ) -> Result<(), Failure> {
        if run.goes_on_examining(now) { Ok(()) } else { self.end_examination(run) }
    }

    /// Ends the examination, and hands over what was found so far.
    fn end_examination(&mut self, run: &mut Run) -> Result<(), Failure> {
        let path = self.tracing.take().map(|tracing| {
            self.flows.closed(tracing.flow(), None);
            tracing.into_path()
        });
        let cut_short = self.searching.take().and_then(|searching| searching.found());
        run.examined(path, cut_short.or(self.found.take()))
    }
}

fn register(poller: &Poller, socket: &mut TcpStream) -> Result<(), Failure> {
    let both = Interest::READABLE | Interest::WRITABLE;
    let registered = poller.registry().register(socket, Token(EXAMINATION), both);
    registered.map_err(|error| Failure::cannot_poll(&error))
}
