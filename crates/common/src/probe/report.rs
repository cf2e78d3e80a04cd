//! How the outcome of a probe is told, and whether it is the one that was
//! hoped for.

pub mod bars;
pub mod json;
pub mod progress;
pub mod run_report;
pub mod summary;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use clap::Args;
use log::LevelFilter;

use crate::address::{Address, Host};
use crate::duration;
use crate::exit::Failure;
use crate::options::{Text, text};
use crate::output::stdout::{StandardOutput, has_room};
use crate::output::{Output, Style};
use crate::printable::printable;
use crate::probe::destination::{Destination, list};
use crate::probe::interrupt::mortal;
use crate::probe::ledger::Ended;
use crate::probe::message::print_reply;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::outcome::{Outcome, Outcomes};
use crate::protocol::MAX_DATAGRAM;

/// The options that say what is hoped for, and how it is told.
#[derive(Args, Clone, Debug)]
pub struct Reporting {
    /// What counts as success
    #[arg(long, value_name = "VERDICT", default_value_t = Verdict::Ok, display_order = 10)]
    pub(crate) expect: Verdict,

    /// The reply that is hoped for; another one is wrong-reply
    #[arg(
        long, value_name = "TEXT", value_parser = text(MAX_DATAGRAM), allow_hyphen_values = true,
        display_order = 11,
    )]
    expect_reply: Option<Text>,

    /// How much is told.
    #[command(flatten)]
    pub output: Output,
}

/// Tells of probes of one target.
#[derive(Clone, Debug)]
pub struct Reporter {
    pub(crate) target: Address,
    pub(crate) reporting: Reporting,
}

impl Reporting {
    /// The reply that is hoped for.
    #[must_use]
    pub fn hoped(&self) -> Option<&[u8]> {
        self.expect_reply.as_ref().map(|text| text.0.as_slice())
    }
}

impl Reporter {
    /// Tells of probes of `target`.
    #[must_use]
    pub fn new(target: Address, reporting: Reporting) -> Self {
        Self { target, reporting }
    }

    /// The destination, where there is one; that there is none is told.
    ///
    /// # Errors
    /// Those of [`Reporter::tell`].
    pub fn destination(
        &self,
        resolved: Result<Destination, Outcome>,
    ) -> Result<Option<Destination>, Failure> {
        match resolved {
            Ok(destination) => Ok(Some(destination)),
            Err(nowhere) => self.tell(&nowhere.into()).map(|()| None),
        }
    }

    /// How it prints.
    #[must_use]
    pub fn output(&self) -> Output {
        self.reporting.output
    }

    /// How much is told.
    #[must_use]
    pub fn level(&self) -> LevelFilter {
        self.reporting.output.level()
    }

    /// Whether it came out as expected. A reply that is not the one hoped for is
    /// none.
    pub fn judge(&self, outcome: &mut Outcome) -> bool {
        if let (Ok(reply), Some(hoped)) = (&outcome.result, self.reporting.hoped())
            && reply != hoped
        {
            let same = reply.iter().zip(hoped).take_while(|(a, b)| a == b).count();
            let reason = format!("'{}', and not '{}'", excerpt(reply, same), excerpt(hoped, same));
            let mut trouble = Trouble::new(Verdict::WrongReply, reason);
            trouble.reply = Some(reply.clone());
            outcome.result = Err(trouble);
        }
        self.is_expected(outcome)
    }

    fn is_expected(&self, outcome: &Outcome) -> bool {
        outcome.verdict() == self.reporting.expect
    }

    /// Tells what came of a probe: a reply to standard output, and so what was
    /// hoped for instead; what was not is the failure.
    ///
    /// # Errors
    /// It is not what was hoped for, or standard output takes no more.
    pub fn tell(&self, outcomes: &Outcomes) -> Result<(), Failure> {
        let is_wanted = self.is_expected(&outcomes.last);
        self.print(outcomes, is_wanted)?;
        if is_wanted {
            return Ok(());
        }
        let failure = match outcomes.last.verdict() {
            Verdict::Local => Failure::local(&self.target, ""),
            _ => Failure::outcome(&self.target, ""),
        };
        Err(failure.with_printable_reason(self.words_of_failure(outcomes)).object_written())
    }

    /// Tells what came of a probe that was expected, and proves nothing: more time
    /// could have made another outcome of it.
    ///
    /// # Errors
    /// That; or standard output takes no more.
    pub fn cut_short(&self, outcomes: &Outcomes) -> Result<(), Failure> {
        self.print(outcomes, false)?;
        let words = self.words_of_cut_short(outcomes);
        Err(Failure::outcome(&self.target, "").with_printable_reason(words).object_written())
    }

    fn words_of_cut_short(&self, outcomes: &Outcomes) -> String {
        format!("{}, cut short by the deadline", self.words(outcomes))
    }

    /// Tells what came last of probes that never came out as expected.
    ///
    /// # Errors
    /// That; or standard output takes no more.
    pub fn give_up(&self, outcomes: &Outcomes, after: Duration) -> Result<(), Failure> {
        self.print(outcomes, false)?;
        let words = if self.is_expected(&outcomes.last) {
            self.words_of_cut_short(outcomes)
        } else {
            format!("{}, for {}", self.words_of_failure(outcomes), duration::words(after))
        };
        Err(Failure::deadline(&self.target, "").with_printable_reason(words).object_written())
    }

    fn words_of_failure(&self, outcomes: &Outcomes) -> String {
        let words = self.words(outcomes);
        match self.reporting.expect {
            Verdict::Ok => words,
            expected => format!("{words}, and not {expected}"),
        }
    }

    /// What goes to standard output.
    fn print(&self, outcomes: &Outcomes, is_wanted: bool) -> Result<(), Failure> {
        let outcome = &outcomes.last;
        if self.reporting.output.style() == Style::Json {
            self.print_object(outcome, is_wanted)
        } else if let Ok(reply) = &outcome.result {
            print_reply(reply, self.reporting.output)
        } else if is_wanted {
            self.print_line(&format!("{}: {}", self.target, self.words(outcomes)))
        } else {
            Ok(())
        }
    }

    /// `refused (a reset came back)`; where there are several addresses, each
    /// with what came of it: `::1: refused (...); 192.0.2.1: no-reply (...)`.
    pub(crate) fn words(&self, outcomes: &Outcomes) -> String {
        let mut groups: Vec<(String, Vec<SocketAddr>)> = Vec::new();
        for outcome in outcomes.iter() {
            let words = match &outcome.result {
                Ok(_) => Verdict::Ok.to_string(),
                Err(trouble) => trouble.to_string(),
            };
            match groups.iter_mut().find(|(known, _)| *known == words) {
                Some((_, addresses)) => addresses.extend(outcome.address),
                None => groups.push((words, outcome.address.into_iter().collect())),
            }
        }
        let is_name = matches!(self.target.host, Host::Name(_));
        let each = groups.iter().map(|(words, addresses)| {
            let of = if is_name { list(addresses) } else { String::new() };
            if of.is_empty() { words.clone() } else { format!("{of}: {words}") }
        });
        each.collect::<Vec<_>>().join("; ")
    }

    fn print_line(&self, line: &str) -> Result<(), Failure> {
        if self.level() < LevelFilter::Info {
            return Ok(());
        }
        print(&format!("{}{line}\n", self.reporting.output.stamp()))
    }

    /// Under `-q` only what was not hoped for, as of the lines.
    fn print_object(&self, outcome: &Outcome, is_wanted: bool) -> Result<(), Failure> {
        let least = if is_wanted { LevelFilter::Info } else { LevelFilter::Warn };
        if self.level() < least {
            return Ok(());
        }
        let ended = Ended { number: 1, delay: None, outcome };
        print(&json::probe(&self.target, &ended, self.reporting.output.stamp()))
    }
}

/// Bytes of a reply that are shown of those in a line of words.
const SHOWN: usize = 64;

/// What a pipe takes at once where it has room: pipe(7), `PIPE_BUF`.
const AT_ONCE: usize = 4096;

/// Writes to standard output. Nobody may be reading: then a signal ends the
/// process, for there is no summary that anybody would see.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let write = || StandardOutput::open().and_then(|mut out| out.write_all(line.as_bytes()));
    let is_quick = line.len() <= AT_ONCE && has_room(io::stdout().as_fd());
    let written = if is_quick { write() } else { mortal(write) };
    written.map_err(|_| Failure::unread())
}

/// What is to be seen of a reply in a reason: the beginning, or where it begins
/// to differ, after so many bytes that are the `same`.
fn excerpt(reply: &[u8], same: usize) -> String {
    let skipped = if same < SHOWN { 0 } else { same - SHOWN / 4 };
    let shown = &reply[skipped..];
    let dots = |is_cut| if is_cut { "..." } else { "" };
    let (before, after) = (dots(skipped > 0), dots(shown.len() > SHOWN));
    format!("{before}{}{after}", printable(&shown[..shown.len().min(SHOWN)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    fn refused(at: &str) -> Outcome {
        Outcome::failed(address(at), Trouble::new(Verdict::Refused, "connection refused"))
    }

    fn reporter(target: &str) -> Reporter {
        let output = Output::default();
        let reporting = Reporting { expect: Verdict::Ok, expect_reply: None, output };
        Reporter::new(target.parse().unwrap(), reporting)
    }

    #[test]
    fn a_name_has_its_addresses_told_apart() {
        let silent = Trouble::no_reply(Duration::from_secs(5));
        let silent = Outcome::failed(address("192.0.2.1:7000"), silent);
        let before = vec![refused("[::1]:7000"), refused("127.0.0.1:7000")];
        let all = Outcomes { before, last: silent };
        assert_eq!(
            reporter("box:7000").words(&all),
            "::1, 127.0.0.1: refused (connection refused); \
             192.0.2.1: no-reply (nothing came back within 5s)"
        );
        let one = refused("127.0.0.1:7000").into();
        assert_eq!(reporter("127.0.0.1:7000").words(&one), "refused (connection refused)");
        let unresolved = Trouble::new(Verdict::Unresolved, "name or service not known");
        let unresolved = Outcome::failed(None, unresolved).into();
        assert_eq!(
            reporter("box:7000").words(&unresolved),
            "unresolved (name or service not known)"
        );
    }
}
