//! Durations: as users write them (`500ms`, `2s`, `1.5m`, `1h`; a bare number is seconds),
//! and as they print.

use std::fmt;
use std::time::Duration;

/// The longest duration: a year. A longer one is a typing error, and added to the clock's
/// time it could overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const NO_DURATION: &str = "not a duration: write it as 500ms, 2s, 1.5m or 1h";

/// The shortest duration: no option needs a shorter one.
const SHORTEST: Duration = Duration::from_millis(1);

/// Parses a duration.
///
/// # Errors
/// Says what is wrong with `text`, for the user.
pub fn parse(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" | "" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(60 * 60),
        _ => return Err(NO_DURATION.to_owned()),
    };
    let millionths = millionths(number).ok_or(NO_DURATION)?;
    let nanos = unit.as_nanos().saturating_mul(millionths) / 1_000_000;
    match u64::try_from(nanos).map(Duration::from_nanos) {
        Ok(duration) if duration < SHORTEST => Err("shorter than 1ms".to_owned()),
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("longer than a year".to_owned()),
    }
}

/// Parses a decimal number into millionths. Digits after the sixth decimal are dropped. The
/// standard parser of floating-point numbers would also take `inf`, `1e9` and `+1`, and it
/// makes a binary 15 KB larger.
pub(crate) fn millionths(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = whole.bytes().chain(fraction.bytes().chain([b'0'; 6]).take(6));
    // Too many digits saturate, far above every limit here.
    Some(
        digits.fold(0_u128, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u128::from(digit - b'0'))
        }),
    )
}

/// `duration` in words: `5s`, `500ms`, `1m 30s`. From 100 ms on, the duration is rounded to
/// 10 ms, because nobody wants to read more digits.
#[must_use]
pub fn words(duration: Duration) -> impl std::fmt::Display {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let rounded = if ms < 100 { ms } else { ms.saturating_add(5) / 10 * 10 };
    humantime::format_duration(Duration::from_millis(rounded))
}

/// A measured time in milliseconds, to the microsecond: `1.234`. The digits are printed from
/// whole numbers: printing floating-point numbers would make a binary 15 KB larger.
#[derive(Clone, Copy, Debug)]
pub struct Millis(
    /// The time.
    pub Duration,
);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write() {
        for (text, ms) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
            ("5", 5_000),
            ("0.25", 250),
            ("0.0010000009", 1),
            ("1.", 1_000),
            (".5s", 500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        for text in [
            "",
            "s",
            ".",
            "abc",
            "5d",
            "-1s",
            "+1",
            "1e3",
            "inf",
            "nan",
            "1 s",
            "0",
            "0ms",
            "0.0001ms",
            "9999h",
            "99999999999999999999999999999999999999999999999999h",
            "1.2.3",
            "５s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_short() {
        assert_eq!(words(Duration::from_millis(2_500)).to_string(), "2s 500ms");
        assert_eq!(words(Duration::from_nanos(1_666_666_666)).to_string(), "1s 670ms");
        assert_eq!(words(Duration::from_millis(42)).to_string(), "42ms");
    }
}
