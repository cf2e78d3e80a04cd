//! Shares in percent, exact to the thousandth, without floating-point numbers.

use std::fmt;
use std::str::FromStr;

use crate::duration::millionths;

const THOUSANDTHS: u64 = 1000;
const ALL: u64 = 100 * THOUSANDTHS;

/// A share, in thousandths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u64);

impl Percent {
    /// The share of `part` in `whole`. It is rounded up, so that only a `part` of zero reads
    /// as 0.0. Zero of zero is 0.0.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        let share = (u128::from(part) * u128::from(ALL)).div_ceil(u128::from(whole.max(1)));
        Self(u64::try_from(share).unwrap_or(ALL))
    }

    /// Whether `part` is more than this share of `whole`.
    #[must_use]
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(ALL) > u128::from(self.0) * u128::from(whole)
    }
}

impl fmt::Display for Percent {
    /// `20.0`, `0.125`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:03}", self.0 % THOUSANDTHS);
        let (first, rest) = digits.split_at(1);
        write!(f, "{}.{first}{}", self.0 / THOUSANDTHS, rest.trim_end_matches('0'))
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        match millionths(number).map(|millionths| u64::try_from(millionths / 1000)) {
            Some(Ok(share)) if share <= ALL => Ok(Self(share)),
            _ => Err("not a percentage from 0 to 100".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_and_only_zero_reads_as_zero() {
        for (part, whole, text) in [
            (0, 0, "0.0"),
            (1, 5, "20.0"),
            (1, 8, "12.5"),
            (1, 3, "33.334"),
            (1, 10_000_000, "0.001"),
        ] {
            assert_eq!(Percent::of(part, whole).to_string(), text);
        }
        let third: Percent = "33.3".parse().unwrap();
        assert!(third.is_exceeded(1, 3) && !third.is_exceeded(333, 1000));
        assert!(!"0".parse::<Percent>().unwrap().is_exceeded(0, 0));
        for text in ["101", "-1", "x", "", "%", "1e1"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!("100%".parse(), Ok(Percent::of(1, 1)));
    }
}
