//! What a run reports, and when: its report words it.

use std::mem;
use std::net::SocketAddr;

use super::Run;
use crate::exit::Failure;
use crate::probe::poller::Watch;
use crate::probe::report::run_report::RunReport;
use crate::probe::stray::Stray;

impl Run {
    /// Takes in a datagram that no probe was waiting for, and reports it.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn stray(
        &mut self,
        stray: Stray,
        from: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), Failure> {
        self.report_ended()?;
        self.ledger.stray(stray.kind);
        let strays = self.ledger.strays();
        let Some(report) = &mut self.report else {
            return Ok(());
        };
        report.enter_stray(&stray);
        report.stray(&stray, strays, from, local)
    }

    /// Enters and reports the probes that have ended. The loop calls this when it has
    /// nothing else to do: probes that are due must not wait for a slow reader.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn report_ended(&mut self) -> Result<(), Failure> {
        let Some(report) = &mut self.report else {
            return Ok(());
        };
        // They are large, and so are looked at where they are. If one cannot be reported, no
        // other one is.
        let mut all = mem::take(&mut self.ended);
        all.iter().try_for_each(|ended| {
            let is_expected = report.is_expected(ended);
            self.ledger.ended(ended, is_expected);
            report.probe(ended, is_expected)
        })?;
        all.clear();
        self.ended = all;
        if let Some((from, to)) = self.moved.take() {
            report.address_changed(from, to)?;
        }
        report.period(&self.ledger, self.destination.resolve())?;
        report.write()
    }

    /// What the loop waits for at standard output.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.report.as_ref().map_or(Watch::Nothing, RunReport::watch)
    }
}
