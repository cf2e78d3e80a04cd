//! The examination of a probe that has ended, beside those that are under way.

use std::time::Instant;

use common::exit::Failure;
use common::probe::poller::EXAMINATION;
use common::probe::run::Run;
use mio::{Interest, Token};

use super::Prober;
use crate::tracing::{Step, Tracing};

impl Prober<'_> {
    /// Begins to examine what `run` wants examined, or goes on with it.
    pub(super) fn examine(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
        if let Some(subject) = run.begin_examination(now) {
            // The flow has a connection more from its port.
            self.flows.connecting(subject.flow, subject.local.port());
            self.tracing = Some(Box::new(Tracing::new(&subject, now)));
        }
        let Some(tracing) = &mut self.tracing else {
            return Ok(());
        };
        match tracing.go_on(now) {
            Step::Wait => Ok(()),
            Step::Asked(socket) => {
                let both = Interest::READABLE | Interest::WRITABLE;
                let registered = self.poller.registry().register(socket, Token(EXAMINATION), both);
                registered.map_err(|error| Failure::cannot_poll(&error))
            }
            Step::Done => self.end_examination(run),
        }
    }

    /// When the examination has to go on at the latest, if there is one.
    pub(super) fn examined_at(&self) -> Option<Instant> {
        self.tracing.as_ref().map(|tracing| tracing.next_at())
    }

    /// Notes that something has come to the socket by which a probe is traced.
    pub(super) fn examination_is_ready(&mut self) {
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
        run.examined(path)
    }
}
