//! Which outcomes are a success: the verdicts of `--expect`.

use std::fmt;
use std::str::FromStr;

use crate::address::{Address, Host};
use crate::exit::Failure;
use crate::parsed;
use crate::probe::outcome::verdict::Verdict;

/// The verdicts that count as success: one, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// By verdict, in the order of [`Verdict::ALL`].
    is_expected: [bool; Verdict::ALL.len()],
}

parsed!(Expected, str::parse::<Expected>);

impl From<Verdict> for Expected {
    fn from(verdict: Verdict) -> Self {
        Self { is_expected: Verdict::ALL.map(|other| other == verdict) }
    }
}

impl Expected {
    /// Whether this verdict is a success.
    #[must_use]
    pub fn contains(self, verdict: Verdict) -> bool {
        self.is_expected[verdict as usize]
    }

    /// Whether a reply, and nothing else, is a success.
    #[must_use]
    pub fn is_reply(self) -> bool {
        self == Verdict::Ok.into()
    }

    /// Whether a verdict is a success that only the end of a probe's time makes.
    #[must_use]
    pub fn has_silence(self) -> bool {
        [Verdict::Timeout, Verdict::NoReply, Verdict::WrongSource].iter().any(|v| self.contains(*v))
    }

    /// Checks that each verdict can come: of an exchange with `target`, whose replies are
    /// compared with an expected one if `has_expected_reply`. `never` lists the verdicts that the
    /// protocol does not have, with the reason.
    ///
    /// # Errors
    /// One of them never comes. The client would fail, or wait, for ever.
    pub fn check(
        self,
        target: &Address,
        has_expected_reply: bool,
        never: &[(Verdict, &str)],
    ) -> Result<(), Failure> {
        let fails = |verdict: Verdict, why: &str| {
            Err(Failure::usage(format_args!("--expect {verdict}"), why))
        };
        if let Some((verdict, why)) = never.iter().find(|(verdict, _)| self.contains(*verdict)) {
            return fails(*verdict, why);
        }
        if self.contains(Verdict::WrongReply) && !has_expected_reply {
            return fails(Verdict::WrongReply, "only with --expect-reply or --expect-prefix");
        }
        if self.contains(Verdict::Unresolved) && !matches!(target.host, Host::Name(_)) {
            let why = format!("{target} has an address, and no name to resolve");
            return fails(Verdict::Unresolved, &why);
        }
        Ok(())
    }
}

impl fmt::Display for Expected {
    /// `refused`, `refused or timeout`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = Verdict::ALL.into_iter().filter(|verdict| self.contains(*verdict));
        f.write_str(&expected.map(Verdict::as_str).collect::<Vec<_>>().join(" or "))
    }
}

impl FromStr for Expected {
    type Err = String;

    /// `refused`, `refused,timeout`
    fn from_str(text: &str) -> Result<Self, String> {
        let mut is_expected = [false; Verdict::ALL.len()];
        for word in text.split(',') {
            let verdict: Verdict = word.parse().map_err(|not_a_verdict| match word {
                "" if !text.is_empty() => "a verdict is missing beside a comma".to_owned(),
                _ if word == text => not_a_verdict,
                _ => format!("{word} is {not_a_verdict}"),
            })?;
            is_expected[verdict as usize] = true;
        }
        Ok(Self { is_expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        text.parse::<Expected>().map(|expected| expected.to_string())
    }

    #[test]
    fn one_verdict_or_several() {
        let expected: Expected = "timeout,refused".parse().unwrap();
        let contained = Verdict::ALL.into_iter().filter(|verdict| expected.contains(*verdict));
        assert_eq!(contained.collect::<Vec<_>>(), [Verdict::Refused, Verdict::Timeout]);
        assert_eq!(parse("timeout,refused,timeout"), Ok("refused or timeout".to_owned()));
        assert!(!expected.is_reply() && "ok".parse::<Expected>().unwrap().is_reply());
        assert!(!"ok,refused".parse::<Expected>().unwrap().is_reply());
    }

    #[test]
    fn what_is_no_list_of_verdicts_is_told() {
        for text in ["refused,", ",refused", "refused,,timeout", ","] {
            assert_eq!(parse(text), Err("a verdict is missing beside a comma".to_owned()));
        }
        let unknown = parse("open").unwrap_err();
        assert!(unknown.starts_with("not a verdict: ok, refused, "), "{unknown}");
        assert!(unknown.ends_with(", unresolved, local"), "{unknown}");
        assert_eq!(parse(""), Err(unknown.clone()));
        assert_eq!(parse("refused,open"), Err(format!("open is {unknown}")));
    }

    #[test]
    fn each_verdict_has_to_be_possible() {
        let never = [(Verdict::WrongSource, "cannot come")];
        let check = |expected: &str, target: &str, has_expected_reply| {
            let expected: Expected = expected.parse().unwrap();
            expected.check(&target.parse().unwrap(), has_expected_reply, &never).err()
        };
        let why = |failure: Option<Failure>| failure.unwrap().to_string();
        assert_eq!(
            why(check("ok,wrong-source", "box", true)),
            "--expect wrong-source: cannot come"
        );
        assert_eq!(
            why(check("wrong-reply", "box", false)),
            "--expect wrong-reply: only with --expect-reply or --expect-prefix"
        );
        assert_eq!(check("wrong-reply", "box", true), None);
        assert_eq!(
            why(check("unresolved,refused", "[::1]:7000", false)),
            "--expect unresolved: [::1]:7000 has an address, and no name to resolve"
        );
        assert_eq!(check("unresolved,refused", "box", false), None);
    }
}
