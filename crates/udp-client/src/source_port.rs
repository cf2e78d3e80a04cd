//! The state of a UDP source port: what a datagram that comes to it is.
//!
//! The tutorial's replies carry no number, so at most one probe is out from a port, and
//! whatever comes to the port belongs to the probe that was last sent from it. A port is
//! *quiet* after its probe ended in silence, or after a second reply came: nothing is sent
//! from a quiet port, and what comes to it is a stray. So no late reply is taken for the
//! reply of another probe. (A second reply that comes only after the port has sent again
//! is taken for the new probe's reply: nobody could tell the difference.)

use std::time::{Duration, Instant};

use common::probe::stray::{Kind, Stray};

/// The state of a source port.
#[derive(Clone, Copy, Debug)]
pub struct SourcePort {
    /// How long the port is quiet, if it has to be.
    quiet: Duration,
    /// When a quiet port ends being quiet; none if it is not quiet.
    quiet_until: Option<Instant>,
    /// The probe that was last sent from the port, and when.
    last: Option<(u64, Instant)>,
    /// Whether that probe has had a reply.
    is_answered: bool,
}

impl SourcePort {
    /// A port from which nothing was sent yet. If it has to be quiet, then for as long as
    /// `quiet`.
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, quiet_until: None, last: None, is_answered: false }
    }

    /// When the port ends being quiet; none if a probe may be sent from it.
    pub fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Probe `number` was sent from the port.
    pub fn sent(&mut self, number: u64, now: Instant) {
        (self.last, self.is_answered) = (Some((number, now)), false);
    }

    /// The port's probe has had a reply.
    pub fn answered(&mut self) {
        self.is_answered = true;
    }

    /// The port's probe has ended in silence: its reply may still come.
    pub fn silent(&mut self, now: Instant) {
        self.quiet_until = Some(now + self.quiet);
    }

    /// The port's probe has gone on to another address: a reply that still comes from this
    /// one is a second reply.
    pub fn given_up(&mut self) {
        self.is_answered = true;
    }

    /// The port has been quiet for long enough.
    pub fn wake(&mut self) {
        self.quiet_until = None;
    }

    /// A datagram came that is not the reply of a probe that is out. If it is the target's,
    /// more may come, so the port is quiet from now on. An already quiet port is not
    /// extended, or a chatty target could hold it for ever.
    pub fn stray(&mut self, is_target: bool, now: Instant) -> Option<Stray> {
        let (number, sent) = self.last?;
        let kind = match (is_target, self.is_answered) {
            (false, _) => Kind::Foreign,
            (true, true) => Kind::Duplicate,
            (true, false) => Kind::Late,
        };
        if is_target {
            self.is_answered = true;
            self.quiet_until.get_or_insert(now + self.quiet);
        }
        Some(Stray { kind, number, after: now.saturating_duration_since(sent) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(100);

    #[test]
    fn a_target_that_sends_without_end_does_not_keep_the_port_quiet() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut port = SourcePort::new(QUIET);
        port.sent(1, start);
        port.answered();
        for ms in [10, 60, 90] {
            let stray = port.stray(true, at(ms)).unwrap();
            assert_eq!((stray.kind, stray.after), (Kind::Duplicate, Duration::from_millis(ms)));
        }
        assert_eq!(port.quiet_until(), Some(at(110)));
    }

    #[test]
    fn a_reply_of_an_address_that_was_given_up_is_no_late_one() {
        let start = Instant::now();
        let mut port = SourcePort::new(QUIET);
        port.sent(1, start);
        port.silent(start);
        port.given_up();
        assert_eq!(port.stray(true, start).unwrap().kind, Kind::Duplicate);
    }
}
