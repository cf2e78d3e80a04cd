//! The numbers of the source ports that the client chooses itself.
//!
//! The system chooses at random, and so soon gives out again a port that was closed a moment
//! ago, to which a late reply may still come. Here a number comes again only when all others
//! have had their turn.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::ops::RangeInclusive;

/// The range that Linux has if nobody has set another one.
const USUAL: RangeInclusive<u16> = 32768..=60999;

/// Port numbers, in a circle.
#[derive(Debug)]
pub struct Numbers {
    range: RangeInclusive<u16>,
    /// What is in the range, but not to be used.
    reserved: Vec<RangeInclusive<u16>>,
    next: u16,
}

impl Numbers {
    /// The numbers that the system gives out, from a random one on: ip(7),
    /// `ip_local_port_range` and `ip_local_reserved_ports`. They hold for IPv6, too.
    pub fn of_system() -> Self {
        let read = |name| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let range = read("ip_local_port_range").ok().and_then(|text| parse_range(&text));
        let reserved = read("ip_local_reserved_ports").unwrap_or_default();
        let random = RandomState::new().build_hasher().finish();
        Self::new(range.unwrap_or(USUAL), parse_ranges(&reserved), random)
    }

    /// The numbers of `range` that are not `reserved`, from the one that `random` points to.
    fn new(range: RangeInclusive<u16>, reserved: Vec<RangeInclusive<u16>>, random: u64) -> Self {
        let place = random % range.len() as u64;
        let next = range.start() + u16::try_from(place).unwrap_or_default();
        Self { range, reserved, next }
    }

    /// All numbers, from the next one on. What is taken comes again only after all others.
    pub fn round(&mut self) -> impl Iterator<Item = u16> + '_ {
        (0..self.range.len()).filter_map(|_| {
            let number = self.next;
            self.next = if number == *self.range.end() { *self.range.start() } else { number + 1 };
            let is_reserved = self.reserved.iter().any(|range| range.contains(&number));
            (!is_reserved).then_some(number)
        })
    }
}

/// `32768 60999`
fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.trim().split_once(char::is_whitespace)?;
    let range = first.parse().ok()?..=last.trim_start().parse().ok()?;
    (!range.is_empty() && *range.start() > 0).then_some(range)
}

/// `8080,9148-9150`
fn parse_ranges(text: &str) -> Vec<RangeInclusive<u16>> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_again_after_all_others() {
        let mut numbers = Numbers::new(10..=15, vec![12..=12, 14..=20], 3);
        assert_eq!(numbers.round().take(2).collect::<Vec<_>>(), [13, 10]);
        assert_eq!(numbers.round().collect::<Vec<_>>(), [11, 13, 10]);
        assert_eq!(numbers.round().next(), Some(11));
        assert_eq!(Numbers::new(1..=u16::MAX, Vec::new(), 65534).round().count(), 65535);
        assert_eq!(Numbers::new(10..=10, vec![10..=10], 7).round().next(), None);
    }

    #[test]
    fn what_the_system_says_is_understood() {
        assert_eq!(parse_range("32768\t60999\n"), Some(32768..=60999));
        for text in ["", "5", "9 8", "0 9", "1 65536", "x y"] {
            assert_eq!(parse_range(text), None, "{text}");
        }
        assert_eq!(parse_ranges("8080,9148-9150\n"), [8080..=8080, 9148..=9150]);
        assert_eq!(parse_ranges("\n"), []);
        assert!(Numbers::of_system().round().next().is_some());
    }
}
