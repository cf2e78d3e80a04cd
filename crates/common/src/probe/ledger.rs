//! What became of the probes of a run, in figures. The ledger takes the same memory
//! for any number of probes.

pub mod buckets;
pub mod directions;
pub mod fate;
pub mod jitter;
pub mod outages;
pub mod periods;
pub mod sightings;
pub mod succession;
pub mod times;

use std::net::SocketAddr;

use crate::probe::dscp::Rewriting;
use crate::probe::outcome::cause::Cause;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Ended, Outcome};
use crate::probe::stray::Kind;
use buckets::Buckets;
use directions::Directions;
use fate::{Came, Fate};
use sightings::Sightings;
use succession::Succession;
use times::Times;

/// How many addresses that did not count are counted separately: more than a name has, unless it has
/// others again and again.
const MOST_OTHERS: usize = 64;

/// What became of the probes of a run.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Probes sent.
    pub sent: u64,
    /// How many probes had each verdict, in the order of [`Verdict::ALL`].
    verdicts: [u64; Verdict::ALL.len()],
    /// How many probes had each cause, in the order of [`Cause::ALL`].
    causes: [u64; Cause::ALL.len()],
    /// How many probes did not come out as expected, other than by this machine's own fault.
    pub failed: u64,
    /// How many probes failed by this machine's own fault, and were expected not to.
    pub failed_here: u64,
    /// How many probes ended because nothing came back for them in time.
    silent: u64,
    /// How many probes were due and never sent, because this machine was held up.
    pub skipped: u64,
    /// How many probes were sent late, because this machine was held up.
    pub sent_late: u64,
    /// How many probes had to wait for a source port.
    pub held: u64,
    /// How many probes left from another port than their flow's, as an earlier connection still
    /// held that one.
    pub left_port: u64,
    /// Whether connections use the ports of earlier ones again.
    pub uses_ports_again: bool,
    /// Replies to probes that had ended without a reply.
    pub late: u64,
    /// Those of them whose probes had ended before the ledger's period began.
    pub late_of_before: u64,
    /// Probes that were under way when the ledger's period began.
    pub carried: u64,
    /// Further answers to probes that had one: a reply, an ICMP error, or another address's.
    pub duplicate: u64,
    /// Datagrams from somebody other than the target.
    pub foreign: u64,
    /// Connections that stand, and whose SYN was sent again.
    pub second_syns: u64,
    /// The address that the latest probe to end went to last.
    pub address: Option<SocketAddr>,
    /// This machine's own address, of the latest probe to end that had one.
    pub local: Option<SocketAddr>,
    /// Addresses of the target that did not count, and for how many probes.
    pub others: Vec<(SocketAddr, u64)>,
    /// From the attempt to connect until the connection stood. Like the next three, without the
    /// probes that were sent late.
    pub connect: Times,
    /// The same times, by fixed bounds.
    pub connect_buckets: Buckets,
    /// From the message until the reply.
    pub reply: Times,
    /// The same times, by fixed bounds.
    pub reply_buckets: Buckets,
    /// From the reply's coming to this machine until it was read.
    pub host: Times,
    /// From the attempt to connect until the reply, or until the connection stood, if only that
    /// was asked for.
    pub total: Times,
    /// From when the probe was due until the reply.
    pub from_due: Times,
    /// Outages and jitter: what follows from the order of the probes.
    pub succession: Succession,
    /// The probes of each source port, with `--flows`.
    pub ports: Option<PortShares>,
    /// What the path makes of the DSCP, there and back, as of the latest reply that shows it; and how
    /// many show it.
    pub rewritings: [Option<(Rewriting, u64)>; 2],
    /// What servers with `--witness` have said.
    pub sightings: Sightings,
    /// In which direction the lost probes were lost, if a witness could tell of each.
    pub directions: Option<Directions>,
}

/// The probes of one source port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Probes sent.
    pub sent: u64,
    /// Probes that did not come out as expected.
    pub failed: u64,
}

/// The probes by source port; empty until the first probe is entered.
#[derive(Clone, Debug, Default)]
pub struct PortShares(Vec<Share>);

impl PortShares {
    fn at(&mut self, port: u16) -> &mut Share {
        if self.0.is_empty() {
            self.0.resize(usize::from(u16::MAX) + 1, Share::default());
        }
        &mut self.0[usize::from(port)]
    }

    /// The ports from which probes were sent.
    pub fn used(&self) -> impl Iterator<Item = (usize, Share)> + '_ {
        self.0.iter().copied().enumerate().filter(|(_, share)| share.sent > 0)
    }
}

impl Ledger {
    /// An empty ledger, which counts by source port if `by_port` is set. It is large, and made in
    /// several places.
    #[must_use]
    #[inline(never)]
    pub fn new(by_port: bool) -> Self {
        Self { ports: by_port.then(PortShares::default), ..Self::default() }
    }

    /// Enters a probe that has ended, as expected or not.
    pub fn ended(&mut self, ended: &Ended, is_expected: bool) {
        let outcome = &ended.last;
        self.verdicts[outcome.verdict() as usize] += 1;
        if let Some(cause) = outcome.cause() {
            self.causes[cause as usize] += 1;
        }
        let is_ours = outcome.verdict() == Verdict::Local;
        self.failed += u64::from(!is_expected && !is_ours);
        self.failed_here += u64::from(!is_expected && is_ours);
        self.silent += u64::from(outcome.is_silence());
        self.address = outcome.address.or(self.address);
        self.local = outcome.local.or(self.local);
        if let (Some(ports), Some(local)) = (&mut self.ports, outcome.local) {
            let share = ports.at(local.port());
            share.sent += 1;
            share.failed += u64::from(!is_expected);
        }
        ended.others.iter().for_each(|other| self.other(other.address));
        self.sent_late += u64::from(ended.is_sent_late);
        if !ended.is_sent_late {
            self.times_of(outcome);
        }
        self.enter_fate(ended, is_expected);
        if let Some(took) = outcome.took {
            self.from_due.add(ended.delay.unwrap_or_default() + took);
        }
        if outcome.dscp_sent.is_some() {
            self.rewritten(outcome);
        }
        if let Some(reply) = outcome.reply_bytes() {
            self.sightings.note(reply, outcome.local);
        }
    }

    fn rewritten(&mut self, outcome: &Outcome) {
        let known = self.rewritings.iter_mut().zip(outcome.rewritings());
        known.for_each(|(known, found)| {
            if let Some(found) = found {
                *known = Some((found, known.map_or(0, |(_, times)| times) + 1));
            }
        });
    }

    fn enter_fate(&mut self, ended: &Ended, is_expected: bool) {
        let Some(sent) = ended.sent else {
            return;
        };
        let came = match ended.last.verdict() {
            _ if is_expected => Came::AsExpected,
            Verdict::Local => Came::FailedHere,
            _ => Came::Failed,
        };
        let reply = ended.last.reply.filter(|_| !ended.is_sent_late);
        self.succession.enter(ended.number, Fate { sent, came, reply });
    }

    fn times_of(&mut self, outcome: &Outcome) {
        if let Some(connect) = outcome.connect {
            self.connect.add(connect);
            self.connect_buckets.add(connect);
            self.second_syns += u64::from(outcome.syn_retransmits.is_some_and(|again| again > 0));
        }
        if let Some(reply) = outcome.reply {
            self.reply.add(reply);
            self.reply_buckets.add(reply);
            outcome.host.into_iter().for_each(|host| self.host.add(host));
        }
        let is_whole = outcome.reply.is_some() || outcome.result == Ok(None);
        if let Some(connect) = outcome.connect.filter(|_| is_whole) {
            self.total.add(connect + outcome.reply.unwrap_or_default());
        }
    }

    /// Counts an address that did not count for a probe.
    fn other(&mut self, address: SocketAddr) {
        match self.others.iter().position(|(known, _)| *known == address) {
            Some(at) => self.others[at].1 += 1,
            None if self.others.len() < MOST_OTHERS => self.others.push((address, 1)),
            None => {}
        }
    }

    /// Enters a datagram that no probe was waiting for.
    pub fn stray(&mut self, kind: Kind) {
        match kind {
            Kind::Late => self.late += 1,
            Kind::Duplicate => self.duplicate += 1,
            Kind::Foreign => self.foreign += 1,
        }
    }

    /// How many strays there were.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.late + self.duplicate + self.foreign
    }

    /// How many probes had this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }

    /// How many probes had this cause.
    #[must_use]
    pub fn caused_by(&self, cause: Cause) -> u64 {
        self.causes[cause as usize]
    }

    /// How many probes have ended.
    #[must_use]
    pub fn ended_in_all(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    /// How many probes nothing came back for in time.
    #[must_use]
    pub fn silent(&self) -> u64 {
        self.silent
    }

    /// How many probes nothing came back for, not even late.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.silent.saturating_sub(self.late - self.late_of_before)
    }

    /// The host that has answered all probes that were answered, if it is one witness, and the way
    /// there translates no addresses: it may know in which direction the others were lost.
    #[must_use]
    pub fn witness(&self) -> Option<&str> {
        let others = [Verdict::WrongReply, Verdict::WrongSource].map(|verdict| self.count(verdict));
        match &self.sightings.hosts[..] {
            [(host, replies)]
                if *replies == self.count(Verdict::Ok)
                    && others == [0; 2]
                    && self.sightings.translated == 0
                    && !self.sightings.is_mixed =>
            {
                Some(host)
            }
            _ => None,
        }
    }

    /// How many probes have ended, other than by this machine's own fault. The shares in
    /// percent are shares of this number.
    #[must_use]
    pub fn ended_on_the_way(&self) -> u64 {
        self.ended_in_all() - self.count(Verdict::Local)
    }

    /// How many probes were sent and have not ended. If nothing could be sent, an outcome says so.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        (self.carried + self.sent).saturating_sub(self.ended_in_all())
    }

    /// The times from sending until the reply. If there are connections, the time to
    /// connect is included.
    #[must_use]
    pub fn from_sending(&self) -> &Times {
        if self.total.samples() > 0 { &self.total } else { &self.reply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn from_due_has_our_own_delay_and_a_probe_that_was_sent_late_is_nowhere_else() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let (connect, reply, took) = (ms(10), ms(20), ms(500));
        let address = "192.0.2.1:7000".parse().unwrap();
        let last = Outcome { connect, reply, took, ..Outcome::of(Some(address), Ok(Vec::new())) };
        let ended = Ended { delay: ms(7), ..last.into() };
        let mut ledger = Ledger::default();
        ledger.ended(&ended, true);
        ledger.ended(&Ended { is_sent_late: true, ..ended }, true);
        assert_eq!((ledger.total.greatest(), ledger.total.samples()), (ms(30).unwrap(), 1));
        assert_eq!((ledger.from_due.least(), ledger.from_due.samples()), (ms(507).unwrap(), 2));
        assert_eq!(ledger.sent_late, 1);
    }
}
