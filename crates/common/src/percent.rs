//! Shares in percent, without floating-point numbers.

use std::fmt;
use std::str::FromStr;

use crate::duration::millionths;

/// How many parts a percent has: a share is written with at most six decimals.
const MILLIONTHS: u64 = 1_000_000;
const THOUSANDTH: u64 = MILLIONTHS / 1000;
const ALL: u64 = 100 * MILLIONTHS;

/// A share, in millionths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u64);

impl Percent {
    /// The share of `part` in `whole`, to be read. It is rounded up to a thousandth of a
    /// percent, so that only a `part` of zero reads as 0.0. Zero of zero is 0.0.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        let all = u128::from(ALL / THOUSANDTH);
        let share = (u128::from(part) * all).div_ceil(u128::from(whole.max(1)));
        Self(u64::try_from(share).map_or(ALL, |share| share.saturating_mul(THOUSANDTH)))
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
        let digits = format!("{:06}", self.0 % MILLIONTHS);
        let (first, rest) = digits.split_at(1);
        write!(f, "{}.{first}{}", self.0 / MILLIONTHS, rest.trim_end_matches('0'))
    }
}

impl FromStr for Percent {
    type Err = String;

    /// Six decimals are kept. What has more is an error: rounded, the share would be another
    /// one than was asked for.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let share = millionths(number).and_then(|share| u64::try_from(share).ok());
        let share = share.filter(|share| *share <= ALL).ok_or("not a percentage from 0 to 100")?;
        let (_, decimals) = number.split_once('.').unwrap_or_default();
        if decimals.bytes().skip(6).any(|digit| digit != b'0') {
            return Err("more than six decimals".to_owned());
        }
        Ok(Self(share))
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
        let least: Percent = "0.000001".parse().unwrap();
        assert!(least.is_exceeded(1, 99_999_999) && !least.is_exceeded(1, 100_000_000));
        assert_eq!("0.0009".parse::<Percent>().unwrap().to_string(), "0.0009");
        assert_eq!("7.1000000".parse::<Percent>().unwrap().to_string(), "7.1");
        assert_eq!("0.0000005".parse::<Percent>(), Err("more than six decimals".to_owned()));
        for text in ["100.000001", "101", "-1", "x", "", "%", "1e1"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!("100%".parse(), Ok(Percent::of(1, 1)));
    }
}
