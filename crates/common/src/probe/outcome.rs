//! What came of a probe: at each address that was tried, and in the end.

pub mod cause;
pub mod expected;
pub mod expected_reply;
pub mod icmp;
pub mod suspicion;
pub mod trouble;
pub mod verdict;

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::duration::Millis;
use crate::probe::dscp::Rewriting;
use crate::probe::findings::Findings;
use crate::probe::ledger::sightings;
use cause::Cause;
use suspicion::Suspicion;
use trouble::Trouble;
use verdict::Verdict;

/// What came of an exchange with one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The address; none if the target has no address.
    pub address: Option<SocketAddr>,
    /// This machine's own address, once a socket had one.
    pub local: Option<SocketAddr>,
    /// How long it took to resolve the target's name.
    pub resolve: Option<Duration>,
    /// How long the TCP handshake took.
    pub connect: Option<Duration>,
    /// How often the SYN was sent again.
    pub syn_retransmits: Option<u32>,
    /// From sending the message's first byte until the reply's first byte was here.
    pub reply: Option<Duration>,
    /// From then until this machine's kernel handed the reply to this program: the host's share, which
    /// is in no other time. None without the kernel's stamp.
    pub host: Option<Duration>,
    /// From when the probe began at this address until the reply's first byte was here, or until
    /// the connection stood, if only that was asked for. It has in it what this machine takes from
    /// the connection to the message.
    pub took: Option<Duration>,
    /// The largest packet, in bytes, that a link on the way takes, if a router has said so.
    pub mtu: Option<u32>,
    /// The DSCP that `--dscp` has asked for.
    pub dscp_sent: Option<u8>,
    /// The DSCP of the reply, if the kernel was asked and has said so.
    pub dscp_reply: Option<u8>,
    /// Whether the reply is all that the target had to say; none if that is not known, or
    /// without a reply.
    pub complete: Option<bool>,
    /// The reply, or why there is none. No reply is there either, and no trouble, if only a
    /// connection was asked for, which stands.
    pub result: Result<Option<Vec<u8>>, Trouble>,
}

/// A probe that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which of the run's probes it was, from 1.
    pub number: u64,
    /// When it was sent, to the first address that was tried. None for an exchange that nothing
    /// was sent for.
    pub sent: Option<Instant>,
    /// How long after its due time it was sent to the last address. None for a single
    /// exchange, which has no due time.
    pub delay: Option<Duration>,
    /// Whether this machine was held up so long that the probe was sent late. Its times are
    /// then not the network's alone.
    pub is_sent_late: bool,
    /// The other addresses that were tried, in the order in which they were.
    pub others: Vec<Other>,
    /// The outcome at the address that has won, or else at the last one. It is the outcome of
    /// the probe.
    pub last: Outcome,
    /// What an examination has found, if there was one before the probe was reported.
    pub findings: Option<Rc<Findings>>,
}

/// An address that a probe has tried, other than the one that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The address.
    pub address: SocketAddr,
    /// How long the probe was under way there.
    pub waited: Duration,
    /// Why the address failed; none if it had neither answered nor failed when another one
    /// won. Then nobody knows what would have come of it.
    pub trouble: Option<Trouble>,
}

impl From<Outcome> for Ended {
    /// A single exchange that has tried one address, or none.
    fn from(last: Outcome) -> Self {
        Self {
            number: 1,
            sent: None,
            delay: None,
            is_sent_late: false,
            others: Vec::new(),
            last,
            findings: None,
        }
    }
}

impl Ended {
    /// The same, with what an examination has found, which may be the cause of the trouble.
    #[must_use]
    pub fn examined(mut self, findings: Option<Rc<Findings>>) -> Self {
        if let Some(trouble) = findings.as_ref().and_then(|found| found.trouble.clone()) {
            self.last.result = Err(trouble);
        }
        self.findings = findings;
        self
    }
}

impl fmt::Display for Outcome {
    /// `ok, connected in 0.123 ms, answered in 0.456 ms`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict())?;
        if let Some(connect) = self.connect {
            write!(f, ", connected in {} ms", Millis(connect))?;
        }
        if let Some(again @ 1..) = self.syn_retransmits {
            write!(f, " (the SYN was sent {} times)", again + 1)?;
        }
        if let Some(reply) = self.reply {
            write!(f, ", answered in {} ms", Millis(reply))?;
        }
        Ok(())
    }
}

impl Outcome {
    /// An exchange with `address` that failed before anything was measured.
    #[must_use]
    pub fn failed(address: Option<SocketAddr>, trouble: Trouble) -> Self {
        Self::of(address, Err(trouble))
    }

    /// An exchange with `address` without any measured time.
    #[must_use]
    pub fn of(address: Option<SocketAddr>, result: Result<Vec<u8>, Trouble>) -> Self {
        Self {
            address,
            local: None,
            resolve: None,
            connect: None,
            syn_retransmits: None,
            reply: None,
            host: None,
            took: None,
            mtu: None,
            dscp_sent: None,
            dscp_reply: None,
            complete: None,
            result: result.map(Some),
        }
    }

    /// A connection to `address`, which was all that was asked for, and took so long to make.
    #[must_use]
    pub fn connected(address: SocketAddr, connect: Option<Duration>) -> Self {
        let failed = Self::of(Some(address), Ok(Vec::new()));
        Self { result: Ok(None), connect, took: connect, ..failed }
    }

    /// The reply, if one came and was the expected one.
    #[must_use]
    pub fn reply_bytes(&self) -> Option<&[u8]> {
        self.result.as_ref().ok()?.as_deref()
    }

    /// The same outcome, without the router if the "router" is this machine. If a
    /// neighbour does not answer, this machine itself makes the ICMP error (RFC 1122,
    /// section 2.3.2.2; RFC 4861, section 7.2.2), and no router has said anything.
    #[must_use]
    pub fn without_own_address_as_router(mut self) -> Self {
        let (own, target) = (self.local.map(|a| a.ip()), self.address.map(|a| a.ip()));
        if let Err(trouble) = &mut self.result {
            trouble.router.take_if(|router| own != target && Some(*router) == own);
        }
        self
    }

    /// The outcome in one word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.result.as_ref().map_or_else(|trouble| trouble.verdict, |_| Verdict::Ok)
    }

    /// Whether nothing came back from the address in time.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.result.as_ref().is_err_and(|trouble| trouble.is_silence)
    }

    /// Whether something came back from the network, and it was no reply.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let is_ours = matches!(self.verdict(), Verdict::Local | Verdict::Unresolved);
        self.result.is_err() && self.reply.is_none() && !self.is_silence() && !is_ours
    }

    /// The same, and also a reply that was not expected.
    #[must_use]
    pub fn any_reply(&self) -> Option<&[u8]> {
        self.result.as_ref().map_or_else(|trouble| trouble.reply.as_deref(), Option::as_deref)
    }

    /// The DSCP with which a witness has seen the message, if one was asked for.
    #[must_use]
    pub fn dscp_seen(&self) -> Option<u8> {
        self.dscp_sent.and_then(|_| sightings::dscp(self.any_reply()?))
    }

    /// What the path makes of the DSCP, on the way there and on the way back.
    #[must_use]
    pub fn rewritings(&self) -> [Option<Rewriting>; 2] {
        Rewriting::of(self.dscp_sent, self.dscp_seen(), self.dscp_reply)
    }

    /// What is behind the verdict, if the verdict has several causes.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.result.as_ref().err().and_then(|trouble| trouble.cause)
    }

    /// Which size of segments may be the reason for a silence, if any.
    #[must_use]
    pub fn suspicion(&self) -> Option<Suspicion> {
        self.result.as_ref().err().and_then(|trouble| trouble.suspicion)
    }

    /// Whether only the `end` of everything has ended the exchange, which is over `now`. With
    /// more time, there could have been another outcome.
    #[must_use]
    pub fn is_cut_short(&self, end: Option<Instant>, now: Instant) -> bool {
        let could_change = self.is_silence() || self.cause() == Some(Cause::NoResolver);
        could_change && end.is_some_and(|end| end <= now)
    }

    /// Whether the address has answered, even if another reply was expected.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        matches!(self.verdict(), Verdict::Ok | Verdict::WrongReply)
    }
}
