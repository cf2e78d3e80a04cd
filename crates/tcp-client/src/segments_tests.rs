//! The scenarios of `scenarios/segments.txt`, and what holds for any way.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// How many sizes are tried at most: the smallest, the one that vanished, and as many as it takes to
/// halve what lies between.
const MOST_TRIES: u32 = 2 + (LARGEST - SMALLEST).ilog2() + 1;

const SCENARIOS: &str = include_str!("scenarios/segments.txt");

/// Plays `lines`, of which the first says which size has vanished, and the others what the search
/// asks: `passes` or `vanishes` is what the way does. Returns the same as it was played.
fn played(lines: &[&str]) -> String {
    let size = lines[0].strip_prefix("vanished ").unwrap().parse().unwrap();
    let mut text = lines[0].to_owned();
    let Some(mut search) = Search::new(size) else {
        return text + "\nno search";
    };
    for line in &lines[1..] {
        let Some(size) = search.next() else {
            break;
        };
        match line.split(' ').next_back() {
            Some("passes") => search.note(true),
            Some("vanishes") => search.note(false),
            Some("unclear") => search.end(),
            _ => break,
        }
        let outcome = line.split(' ').next_back().unwrap();
        write!(text, "\n{size} {outcome}").unwrap();
    }
    let found =
        search.found().map_or("nothing".to_owned(), |found| found.words(Way::There).to_string());
    let more = search.next().map_or(String::new(), |size| format!("\nnext {size}"));
    text + &more + "\nfound: " + &found
}

#[test]
fn each_scenario_goes_as_written() {
    for scenario in SCENARIOS.trim_end().split("\n\n") {
        let lines: Vec<_> = scenario.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(played(&lines), lines.join("\n"), "{scenario}");
    }
}

/// Searches on a way that takes segments of up to `takes` bytes. Returns the tries, too.
fn searched(size: u32, takes: u32) -> (u32, Option<Found>) {
    let (mut search, mut tries) = (Search::new(size).unwrap(), 0);
    while let Some(size) = search.next() {
        search.note(size <= takes);
        tries += 1;
        assert!(tries <= MOST_TRIES, "{search:?}");
    }
    (tries, search.found())
}

proptest! {
    /// Whatever a way takes, the search ends, and finds exactly that, or nothing if it is not the
    /// size.
    #[test]
    fn the_search_ends_and_finds_what_the_way_takes(
        size in SMALLEST + 1..70_000u32, takes in 0..70_000u32,
    ) {
        let (_, found) = searched(size, takes);
        let is_the_size = (SMALLEST..size.min(LARGEST)).contains(&takes);
        let expected = Found { passed: takes, vanished: takes + 1 };
        prop_assert_eq!(found, is_the_size.then_some(expected));
    }

    /// Of the segments of an ordinary link it needs no more than a dozen tries.
    #[test]
    fn an_ordinary_search_is_short(takes in 0..1500u32) {
        prop_assert!(searched(1460, takes).0 <= 12);
    }

    /// Whatever a way does, the search ends, and what it has found was seen.
    #[test]
    fn a_way_that_does_anything(size in SMALLEST + 1..70_000u32, passes: [bool; 20]) {
        let mut search = Search::new(size).unwrap();
        let (mut passed, mut vanished) = (vec![], vec![size.min(LARGEST)]);
        for has_passed in passes {
            let Some(size) = search.next() else { break };
            if has_passed { &mut passed } else { &mut vanished }.push(size);
            search.note(has_passed);
        }
        prop_assert_eq!(search.next(), None);
        if let Some(found) = search.found() {
            prop_assert!(passed.contains(&found.passed) && vanished.contains(&found.vanished));
            prop_assert!(found.passed < found.vanished);
        }
    }
}
