//! The state of a UDP source port, which says what a datagram is that comes to the port.
//!
//! The tutorial's replies carry no number, so at most one probe is out from a port, and
//! whatever comes to the port belongs to the probe that was last sent from the port. A port
//! is *quiet* after its probe ended in silence, or after a second reply came. Nothing is sent
//! from a quiet port, and whatever comes to it is a stray. So no late reply is taken for the
//! reply of another probe. (If a second reply comes only after the port has sent again, it
//! is taken for the new probe's reply: the two cannot be distinguished.)

use std::time::{Duration, Instant};

use common::probe::stray::{Kind, Stray};

/// The state of a source port.
#[derive(Clone, Copy, Debug)]
pub struct SourcePort {
    /// How long the port stays quiet when it has to be quiet.
    quiet: Duration,
    /// Until when the port is quiet; none if it is not quiet.
    quiet_until: Option<Instant>,
    /// The probe that was last sent from the port, and when.
    last: Option<(u64, Instant)>,
    /// Whether that probe has had a reply.
    is_answered: bool,
}

impl SourcePort {
    /// A port from which nothing was sent yet. When it has to be quiet, it stays quiet for
    /// the time `quiet`.
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, quiet_until: None, last: None, is_answered: false }
    }

    /// Until when the port is quiet; none if a probe may be sent from it.
    pub fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Notes that probe `number` was sent from the port.
    pub fn sent(&mut self, number: u64, now: Instant) {
        (self.last, self.is_answered) = (Some((number, now)), false);
    }

    /// Notes that the port's probe has had a reply.
    pub fn answered(&mut self) {
        self.is_answered = true;
    }

    /// Notes that the port's probe has ended in silence. Its reply may still come, so the
    /// port is quiet.
    pub fn silent(&mut self, now: Instant) {
        self.quiet_until = Some(now + self.quiet);
    }

    /// The probe that was last sent from the port.
    pub fn last(&self) -> Option<u64> {
        self.last.map(|(number, _)| number)
    }

    /// When that probe was sent.
    pub fn sent_at(&self) -> Option<Instant> {
        self.last.map(|(_, at)| at)
    }

    /// Until when a reply to the port's last probe may still come; none if none may.
    pub fn listens_until(&self) -> Option<Instant> {
        self.quiet_until.filter(|_| !self.is_answered)
    }

    /// Ends the port's quiet.
    pub fn wake(&mut self) {
        self.quiet_until = None;
    }

    /// Notes a datagram that is not the reply of a probe that is out. If the target sent it,
    /// more may come, so the port is quiet from now on. The time of a port that is quiet
    /// already is not extended, or a chatty target could hold the port for ever.
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
    fn a_reply_from_an_address_that_was_given_up_is_a_duplicate() {
        let start = Instant::now();
        let mut port = SourcePort::new(QUIET);
        port.sent(1, start);
        port.silent(start);
        port.answered();
        assert_eq!(port.stray(true, start).unwrap().kind, Kind::Duplicate);
    }
}
