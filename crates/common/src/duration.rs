//! Durations: as users write them (`500us`, `20ms`, `2s`, `1.5m`, `1h`; a bare number is
//! seconds), and as they print.

use std::fmt;
use std::time::Duration;

/// The longest duration: a year. A longer one is a typing error, and added to the clock's
/// time it could overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const NO_DURATION: &str = "not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h";

/// Parses a duration of at least a microsecond.
///
/// # Errors
/// Says what is wrong with `text`, for the user.
pub fn parse(text: &str) -> Result<Duration, String> {
    match parse_any(text)? {
        duration if duration < Duration::from_micros(1) => Err("shorter than 1us".to_owned()),
        duration => Ok(duration),
    }
}

/// Parses a duration that may be zero.
pub fn parse_or_zero(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s" | "0ms" | "0us") { Ok(Duration::ZERO) } else { parse(text) }
}

/// Parses a duration of at least a millisecond, for a server: its loop waits in whole
/// milliseconds (epoll_wait(2)).
///
/// # Errors
/// Says what is wrong with `text`, for the user.
pub fn parse_from_1ms(text: &str) -> Result<Duration, String> {
    match parse_any(text)? {
        duration if duration < Duration::from_millis(1) => Err("shorter than 1ms".to_owned()),
        duration => Ok(duration),
    }
}

fn parse_any(text: &str) -> Result<Duration, String> {
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let unit_at = text.find(|c| !is_of_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        // Unicode has two signs: the micro sign, and the Greek letter that keyboards have.
        "us" | "\u{b5}s" | "\u{3bc}s" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" | "" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(60 * 60),
        _ => return Err(NO_DURATION.to_owned()),
    };
    let millionths = millionths(number).ok_or(NO_DURATION)?;
    let nanos = unit.as_nanos().saturating_mul(millionths) / 1_000_000;
    match u64::try_from(nanos).map(Duration::from_nanos) {
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

/// `duration` in words: `5s`, `500us`, `1m 30s`. A duration is rounded to a microsecond, from
/// 10 ms on to 1 ms, and from 100 ms on to 10 ms, because nobody wants to read more digits.
#[must_use]
pub fn words(duration: Duration) -> impl std::fmt::Display {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let step = match us {
        0..10_000 => 1,
        10_000..100_000 => 1_000,
        _ => 10_000,
    };
    humantime::format_duration(Duration::from_micros(us.saturating_add(step / 2) / step * step))
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

/// A time in seconds, to the nanosecond: `0.000100000`.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(
    /// The time.
    pub Duration,
);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0.as_secs(), self.0.subsec_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write() {
        for (text, us) in [
            ("1us", 1),
            ("500us", 500),
            ("2.5ms", 2_500),
            ("7\u{b5}s", 7),
            ("7\u{3bc}s", 7),
            ("0.000001", 1),
            ("500ms", 500_000),
            ("2s", 2_000_000),
            ("1.5m", 90_000_000),
            ("1h", 3_600_000_000),
            ("5", 5_000_000),
            ("0.25", 250_000),
            ("0.0010000009", 1_000),
            ("1.", 1_000_000),
            (".5s", 500_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_micros(us)), "{text}");
        }
    }

    #[test]
    fn the_shortest() {
        assert_eq!(parse("0.9us"), Err("shorter than 1us".to_owned()));
        assert_eq!(parse_from_1ms("999us"), Err("shorter than 1ms".to_owned()));
        assert_eq!(parse_from_1ms("1000us"), Ok(Duration::from_millis(1)));
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
            "0.0000001",
            "5ns",
            "1\u{b5}",
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
        for (us, text) in [
            (0, "0s"),
            (500, "500us"),
            (1_500, "1ms 500us"),
            (42_000, "42ms"),
            (42_357, "42ms"),
            (99_960, "100ms"),
            (125_000, "130ms"),
            (1_666_667, "1s 670ms"),
            (2_500_000, "2s 500ms"),
        ] {
            assert_eq!(words(Duration::from_micros(us)).to_string(), text);
        }
    }
}
