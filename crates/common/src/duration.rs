//! Durations on the command line: `500ms`, `2s`, `1.5m`, `1h`; a bare number
//! is seconds.

use std::time::Duration;

/// The longest duration taken: a year. Longer ones are slips of the hand, and
/// would overflow the clock that deadlines are counted on.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const NO_DURATION: &str = "not a duration: write it as 500ms, 2s, 1.5m or 1h";

/// The shortest one: nothing here is measured in less on the command line.
const SHORTEST: Duration = Duration::from_millis(1);

/// Parses a duration.
///
/// # Errors
/// Says what is wrong with `text`, for the user.
pub fn parse(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(NO_DURATION.to_owned()),
    };
    // `f64` would also parse "inf", "1e9" and "+1", which nobody writes here.
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(NO_DURATION.to_owned());
    }
    let number: f64 = number.parse().map_err(|_| NO_DURATION.to_owned())?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(duration) if duration < SHORTEST => Err("shorter than 1ms".to_owned()),
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("longer than a year".to_owned()),
    }
}

/// `duration` in words: `5s`, `500ms`, `1m 30s`; to the hundredth of a second
/// where it is longer than a tenth, for nobody wants to read more.
#[must_use]
pub fn words(duration: Duration) -> impl std::fmt::Display {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let rounded = if ms < 100 { ms } else { ms.saturating_add(5) / 10 * 10 };
    humantime::format_duration(Duration::from_millis(rounded))
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
            (".5s", 500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        for text in [
            "", "s", ".", "abc", "5d", "-1s", "+1", "1e3", "inf", "nan", "1 s", "0", "0ms",
            "0.0001ms", "9999h", "1.2.3", "５s",
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
