//! What came of a probe: of each address that was tried.

pub mod icmp;
pub mod trouble;
pub mod verdict;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::duration::Millis;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;

/// What came of an exchange with one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The address; none where the target has none.
    pub address: Option<SocketAddr>,
    /// Our own, where a socket had one.
    pub local: Option<SocketAddr>,
    /// How long it took to resolve the target's name.
    pub resolve: Option<Duration>,
    /// From the attempt to connect until the connection stood.
    pub connect: Option<Duration>,
    /// How often the SYN was sent again, where connecting took so long that it
    /// was asked for.
    pub syn_retransmits: Option<u32>,
    /// From the message's first byte until the reply's.
    pub reply: Option<Duration>,
    /// The reply, or why there is none.
    pub result: Result<Vec<u8>, Trouble>,
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes {
    /// Of the addresses that were tried before, in vain.
    pub before: Vec<Outcome>,
    /// Of the last one, which counts.
    pub last: Outcome,
}

impl Outcomes {
    /// All of them, in the order in which they were tried.
    pub fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.before.iter().chain([&self.last])
    }
}

impl From<Outcome> for Outcomes {
    fn from(last: Outcome) -> Self {
        Self { before: Vec::new(), last }
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
    /// It came to nothing before there was anything to measure.
    #[must_use]
    pub fn failed(address: Option<SocketAddr>, trouble: Trouble) -> Self {
        Self::of(address, Err(trouble))
    }

    /// What came of it, without a measure.
    #[must_use]
    pub fn of(address: Option<SocketAddr>, result: Result<Vec<u8>, Trouble>) -> Self {
        Self {
            address,
            local: None,
            resolve: None,
            connect: None,
            syn_retransmits: None,
            reply: None,
            result,
        }
    }

    /// The same, without a router where that is this machine: what it says of
    /// neighbours that do not answer is no router's word (RFC 1122, section
    /// 2.3.2.2; RFC 4861, section 7.2.2).
    #[must_use]
    pub fn without_own_word(mut self) -> Self {
        let (own, target) = (self.local.map(|a| a.ip()), self.address.map(|a| a.ip()));
        if own != target
            && let Err(trouble) = &mut self.result
        {
            trouble.router.take_if(|router| Some(*router) == own);
        }
        self
    }

    /// In one word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.result.as_ref().map_or_else(|trouble| trouble.verdict, |_| Verdict::Ok)
    }
}
