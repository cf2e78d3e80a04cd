//! The state of a UDP source port, which says what a datagram is that comes to the port.
//!
//! The tutorial's replies carry no number, so at most one probe is out from a port, and
//! whatever comes to the port belongs to the probe that was last sent from the port. A port
//! is *quiet* after its probe ended in silence, or after a second answer came. Nothing is sent
//! from a quiet port, and whatever comes to it is a stray. So no late reply is taken for the
//! reply of another probe. (If a second answer comes only after the port has sent again, it
//! is taken for the new probe's reply: the two cannot be distinguished.)
//!
//! An answer is a reply, or an ICMP error.

use std::time::{Duration, Instant};

use common::probe::stray::{Kind, Stray};

use crate::account::Account;

/// The state of a source port.
#[derive(Clone, Copy, Debug)]
pub struct SourcePort {
    /// How long the port stays quiet when it has to be quiet.
    quiet: Duration,
    /// Until when the port is quiet; none if it is not quiet.
    quiet_until: Option<Instant>,
    /// The probe that was last sent from the port, and when.
    last: Option<(u64, Instant)>,
    /// Whether that probe has had an answer, at this port or another.
    is_answered: bool,
    /// When a probe from the port was last answered.
    answered_at: Option<Instant>,
    account: Account,
}

impl SourcePort {
    /// A port from which nothing was sent yet. When it has to be quiet, it stays quiet for
    /// the time `quiet` at least.
    pub fn new(quiet: Duration) -> Self {
        Self {
            quiet,
            quiet_until: None,
            last: None,
            is_answered: false,
            answered_at: None,
            account: Account::default(),
        }
    }

    /// Until when the port is quiet at least; none if a probe may be sent from it.
    pub fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Whether the reply to the port's last probe may still come, late.
    pub fn is_awaited(&self) -> bool {
        self.quiet_until.is_some() && !self.is_answered
    }

    /// When a probe from the port was last answered.
    pub fn answered_at(&self) -> Option<Instant> {
        self.answered_at
    }

    /// What was sent from the port, and what came back.
    pub fn account(&self) -> Account {
        self.account
    }

    /// The probe that was last sent from the port.
    pub fn last(&self) -> Option<u64> {
        self.last.map(|(number, _)| number)
    }

    /// When that probe was sent.
    pub fn sent_at(&self) -> Option<Instant> {
        self.last.map(|(_, at)| at)
    }

    /// Notes that probe `number` was sent from the port.
    pub fn sent(&mut self, number: u64, now: Instant) {
        (self.last, self.is_answered) = (Some((number, now)), false);
        self.account.sent(now);
    }

    /// Notes that the port's probe has had a reply.
    pub fn replied(&mut self, now: Instant) {
        self.account.answered(false);
        self.answered(now);
    }

    /// Notes that the port's probe has had an answer.
    pub fn answered(&mut self, now: Instant) {
        (self.is_answered, self.answered_at) = (true, Some(now));
    }

    /// Notes that the port's probe has ended in silence. Its reply may still come, so the
    /// port is quiet.
    pub fn silent(&mut self, now: Instant) {
        self.quiet_until = Some(now + self.quiet);
        self.account.lost += 1;
    }

    /// Notes that the port's probe has been answered at another port. What still comes here is
    /// a further answer. If none has come so far, one may, so the port is quiet.
    pub fn settled(&mut self, now: Instant) {
        if !self.is_answered {
            if self.quiet_until.is_some() {
                self.account.settled();
            }
            self.is_answered = true;
            self.quiet_until.get_or_insert(now + self.quiet);
        }
    }

    /// Ends the port's quiet.
    pub fn wake(&mut self) {
        self.quiet_until = None;
    }

    /// Notes an ICMP error that no probe was waiting for. If it is a second answer, more may
    /// come, so the port is quiet.
    pub fn error(&mut self, now: Instant) {
        if self.is_answered {
            self.quiet_until.get_or_insert(now + self.quiet);
        }
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
        if kind == Kind::Late {
            self.account.answered(true);
        }
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
        port.answered(at(5));
        for ms in [10, 60, 90] {
            let stray = port.stray(true, at(ms)).unwrap();
            assert_eq!((stray.kind, stray.after), (Kind::Duplicate, Duration::from_millis(ms)));
        }
        assert_eq!(port.quiet_until(), Some(at(110)));
    }

    #[test]
    fn what_comes_after_another_port_has_had_the_answer_is_a_duplicate() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for is_silent in [false, true] {
            let mut port = SourcePort::new(QUIET);
            port.sent(1, start);
            if is_silent {
                port.silent(at(10));
            }
            port.settled(at(20));
            let until = at(if is_silent { 110 } else { 120 });
            assert_eq!((port.quiet_until(), port.is_awaited()), (Some(until), false));
            assert_eq!(port.stray(true, at(30)).unwrap().kind, Kind::Duplicate);
        }
    }

    #[test]
    fn an_icmp_error_is_an_answer_and_a_second_answer_makes_the_port_quiet() {
        let start = Instant::now();
        let mut port = SourcePort::new(QUIET);
        port.sent(1, start);
        port.error(start);
        assert_eq!(port.quiet_until(), None, "an error of an earlier probe");
        port.answered(start);
        assert_eq!(port.quiet_until(), None);
        port.error(start);
        assert_eq!((port.quiet_until(), port.is_awaited()), (Some(start + QUIET), false));
    }
}
