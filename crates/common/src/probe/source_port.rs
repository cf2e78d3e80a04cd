//! A UDP source port, out of which there is one probe at most.
//!
//! The tutorial's replies carry no number, so whatever comes to a port is meant
//! for the probe that was last sent from it. A port whose probe ended in
//! silence, or to which a second reply came, is quiet: nothing is sent from it
//! while it is still listened to, so no late reply is taken for another probe's.
//! (A second reply that comes only after the port has sent again is: nobody could
//! tell.)

use std::time::{Duration, Instant};

/// A source port, and what may come to it.
#[derive(Clone, Copy, Debug)]
pub struct SourcePort {
    flow: u32,
    /// Until when it is only listened to; none where it is not.
    quiet_until: Option<Instant>,
    /// The probe that was last sent from it, and when.
    last: Option<(u64, Instant)>,
    /// Whether that one has had a reply.
    is_answered: bool,
}

/// What came, and no probe was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What it is.
    pub kind: Kind,
    /// The probe that was last sent from the port.
    pub number: u64,
    /// Since that was sent.
    pub after: Duration,
}

/// What came, and no probe was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reply to a probe that had ended without one.
    Late,
    /// Another reply to a probe that has had one.
    Duplicate,
    /// A datagram of somebody else than the target.
    Foreign,
}

impl Kind {
    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Foreign => "foreign",
        }
    }
}

impl SourcePort {
    /// A port of `flow`, from which nothing was sent yet.
    #[must_use]
    pub fn new(flow: u32) -> Self {
        Self { flow, quiet_until: None, last: None, is_answered: false }
    }

    /// The flow that sends from it.
    #[must_use]
    pub fn flow(&self) -> u32 {
        self.flow
    }

    /// Until when it is only listened to; none where a probe may be sent from it.
    #[must_use]
    pub fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Probe `number` was sent from it.
    pub fn sent(&mut self, number: u64, now: Instant) {
        (self.last, self.is_answered) = (Some((number, now)), false);
    }

    /// Its probe has had a reply.
    pub fn answered(&mut self) {
        self.is_answered = true;
    }

    /// Its probe has ended in silence: a reply may still come until then.
    pub fn silent(&mut self, until: Instant) {
        self.quiet_until = Some(until);
    }

    /// Its probe has gone on to another address: a reply that still comes is one
    /// more than is waited for.
    pub fn given_up(&mut self) {
        self.is_answered = true;
    }

    /// It has been quiet for long enough.
    pub fn wake(&mut self) {
        self.quiet_until = None;
    }

    /// A datagram came that is no reply to a probe that is out; the port is quiet
    /// until then if it was the target's, since more may come. (One that is quiet
    /// already is so no longer for that: a target may send without end.)
    pub fn stray(&mut self, is_target: bool, now: Instant, until: Instant) -> Option<Stray> {
        let (number, sent) = self.last?;
        let kind = match (is_target, self.is_answered) {
            (false, _) => Kind::Foreign,
            (true, true) => Kind::Duplicate,
            (true, false) => Kind::Late,
        };
        if is_target {
            self.is_answered = true;
            self.quiet_until.get_or_insert(until);
        }
        Some(Stray { kind, number, after: now.saturating_duration_since(sent) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_sends_without_end_does_not_keep_it_quiet() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut port = SourcePort::new(0);
        port.sent(1, start);
        port.answered();
        for ms in [10, 60, 90] {
            let stray = port.stray(true, at(ms), at(ms + 100)).unwrap();
            assert_eq!((stray.kind, stray.after), (Kind::Duplicate, Duration::from_millis(ms)));
        }
        assert_eq!(port.quiet_until(), Some(at(110)));
    }

    #[test]
    fn a_reply_of_an_address_that_was_given_up_is_no_late_one() {
        let start = Instant::now();
        let mut port = SourcePort::new(0);
        port.sent(1, start);
        port.silent(start);
        port.given_up();
        assert_eq!(port.stray(true, start, start).unwrap().kind, Kind::Duplicate);
    }
}
