//! What the program is to do, as the command line says.

use std::time::Instant;

use common::exit::Failure;
use common::probe::message;
use common::probe::outcome::verdict::Verdict;
use common::probe::plan::Plan;
use log::LevelFilter;

use crate::cli::{LONGEST_MESSAGE, Options};
use crate::exchange::{Goal, Reading, Request};

/// What is read of the reply of a single exchange. It is held in memory, too.
pub const WHOLE: Reading = Reading { longest: 1024 * 1024, waits_for_more: true };

/// What is read of a reply in a run, which may have thousands of connections. The longest
/// reply that can be expected is shorter.
const IN_A_RUN: Reading = Reading { longest: 64 * 1024, waits_for_more: true };

/// What is read of a reply if the next probe waits for its end.
const IN_A_CLOSED_LOOP: Reading = Reading { waits_for_more: false, ..IN_A_RUN };

/// What is read of the replies in the run that `plan` asks for.
pub fn in_a_run(plan: &Plan) -> Reading {
    if plan.interval.is_zero() { IN_A_CLOSED_LOOP } else { IN_A_RUN }
}

/// The verdict that TCP does not have, with the reason.
const NEVER: &[(Verdict, &str)] =
    &[(Verdict::WrongSource, "cannot come over TCP: a connection has one peer")];

/// The verdicts that do not come either if only a connection is asked for.
const NEVER_OF_CONNECTIONS: &[(Verdict, &str)] =
    &[(Verdict::NoReply, NO_REPLY), (Verdict::WrongReply, NO_REPLY), (Verdict::Reset, NO_REPLY)];

const NO_REPLY: &str = "cannot come with --connect: no reply is asked for";

/// What the program is to do.
#[derive(Debug)]
pub struct Task {
    /// What to send.
    pub message: Vec<u8>,
    /// How many bytes of that are padding.
    pub padding: u64,
    /// How often.
    pub times: Times,
}

/// How often a message is sent.
#[derive(Clone, Copy, Debug)]
pub enum Times {
    Once,
    /// Again and again until the outcome is as expected.
    Wait,
    /// Again and again, and measured.
    Measure(Plan),
}

impl Options {
    /// What the program is to do. Everything has to end at `end`.
    ///
    /// # Errors
    /// Something is wrong with the options, or standard input cannot be read in time.
    pub fn task(&self, end: Option<Instant>) -> Result<Task, Failure> {
        let mut message =
            message::given(self.message.clone(), LONGEST_MESSAGE, &self.persistence, end)?;
        let padding = message::pad(&mut message, self.size)?;
        if message.is_empty() && !self.half_close {
            let reason = "empty: there is nothing to send, unless --half-close sends the end";
            return Err(Failure::usage("--message", reason));
        }
        let never = if self.connect { &[NEVER, NEVER_OF_CONNECTIONS].concat() } else { NEVER };
        self.reporting.check(&self.target.written()?, never)?;
        let times = match self.probing.plan(&self.target)? {
            None if self.persistence.waits() => Times::Wait,
            None => Times::Once,
            Some(plan) => Times::Measure(plan),
        };
        Ok(Task { message, padding, times })
    }

    /// What an exchange of `message` sends, what is expected of the reply, and how much of it is
    /// read.
    pub fn request<'m>(&'m self, message: &'m [u8], reading: Reading) -> Request<'m> {
        let goal = match self.connect {
            false => Goal::Reply,
            // A greeting is only shown, so it is waited for only if that is seen.
            true if log::max_level() >= LevelFilter::Debug => Goal::Greeting,
            true => Goal::Connection,
        };
        let expected_reply = self.reporting.expected_reply();
        Request { goal, message, half_close: self.half_close, expected_reply, reading }
    }
}
