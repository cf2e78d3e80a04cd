//! The examination of a probe that has ended, beside those that are under way.

use std::time::Instant;

use common::exit::Failure;
use common::probe::examination::Subject;
use common::probe::poller::EXAMINATION;
use common::probe::run::Run;
use mio::Interest;

use super::Prober;
use crate::tracing::{Step, Tracing};

impl Prober<'_> {
    /// Begins to examine what `run` wants examined, or goes on with it.
    pub(super) fn examine(&mut self, now: Instant, run: &mut Run) -> Result<(), Failure> {
        if let Some(subject) = run.begin_examination(now) {
            self.begin_trace(subject, now, run)?;
        }
        let Some(tracing) = &mut self.tracing else {
            return Ok(());
        };
        match tracing.go_on(&self.datagram, &mut self.buffer, now) {
            Step::Wait => Ok(()),
            Step::Done(path) => run.examined(Some(path), None),
            Step::Quiet => self.end_examination(run),
        }
    }

    /// Traces `subject` from the port that it was sent from.
    fn begin_trace(
        &mut self,
        subject: Subject,
        now: Instant,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let Some(mut port) = self.ports.lend(subject.number, subject.address) else {
            return run.examined(None, None);
        };
        self.poller.reregister(port.socket.source(), EXAMINATION, Interest::READABLE)?;
        self.tracing = Some(Box::new(Tracing::new(port, &subject, now, self.ports.quiet())));
        Ok(())
    }

    /// When the examination has to go on at the latest, if there is one.
    pub(super) fn examined_at(&self) -> Option<Instant> {
        self.tracing.as_ref().map(|tracing| tracing.next_at())
    }

    /// Notes that something has come to the port that is traced.
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
        let path = self.tracing.take().and_then(|tracing| tracing.into_path());
        self.ports.give_back();
        run.examined(path, None)
    }
}
