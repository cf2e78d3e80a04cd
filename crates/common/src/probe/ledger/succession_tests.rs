//! The order of probes in scenarios that are written as plain text (`scenarios/*.txt`), and
//! against a reference that has all probes at once.
//!
//! Lines with `<` are played: a probe that has ended, in the order in which they end. Lines with
//! `=` are expected: an outage as soon as it is known, and the figures in the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::duration::Millis;
use crate::probe::ledger::fate::Came;
use crate::probe::ledger::outages::Outage;

/// `probe 3, sent at 200 ms: ok in 17 ms`, `failed`, `failed here`
fn parse(text: &str, start: Instant) -> (u64, Fate) {
    let (number, rest) = text.strip_prefix("probe ").unwrap().split_once(", sent at ").unwrap();
    let (sent, came) = rest.split_once(" ms: ").unwrap();
    let ms = |text: &str| Duration::from_millis(text.parse().unwrap());
    let reply = came.strip_prefix("ok in ").map(|time| ms(time.strip_suffix(" ms").unwrap()));
    let came = match came {
        "failed" => Came::Failed,
        "failed here" => Came::FailedHere,
        _ => Came::AsExpected,
    };
    (number.parse().unwrap(), Fate { sent: start + ms(sent), came, reply })
}

fn words(outage: &Outage, start: Instant) -> String {
    let at = |time: Instant| (time - start).as_millis();
    let end = outage.end.map_or("the end".to_owned(), |end| format!("{} ms", at(end)));
    let Outage { begin, first, last, probes, .. } = outage;
    let took = outage.duration().as_millis();
    format!("{took} ms, from {} ms to {end}, {probes} failed, {first} to {last}", at(*begin))
}

fn played(text: &str) -> String {
    let start = Instant::now();
    let (mut succession, mut log) = (Succession::default(), String::new());
    for line in text.lines().filter_map(|line| line.strip_prefix("< ")) {
        writeln!(log, "< {line}").unwrap();
        let known = succession.figures.outages.count;
        let (number, fate) = parse(line, start);
        succession.enter(number, fate);
        let outages = &succession.figures.outages;
        for outage in outages.newest.iter().skip(known as usize) {
            writeln!(log, "= outage: {}", words(outage, start)).unwrap();
        }
    }
    let Figures { outages, jitter } = succession.so_far();
    let waiting = succession.waiting.iter().flatten().count();
    let longest = outages.longest.map_or("none".to_owned(), |longest| words(&longest, start));
    let jitter = jitter.mean().map_or("none".to_owned(), |mean| format!("{} ms", Millis(mean)));
    writeln!(log, "= {waiting} wait for others").unwrap();
    writeln!(log, "= {} in all, the longest: {longest}", outages.count).unwrap();
    writeln!(log, "= jitter: {jitter}").unwrap();
    log
}

#[test]
fn all_scenarios() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/ledger/scenarios");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (head, expected) = text.split_once("\n\n").expect("a heading");
        let played = played(expected);
        assert!(played == expected, "{}\n\n{head}\n\n{played}", path.display());
        count += 1;
    }
    assert!(count > 5, "only {count} scenarios were found");
}

/// The outages as pairs of their first and last numbers, and the differences of neighbours' reply
/// times, of all probes in order.
fn reference(probes: &BTreeMap<u64, Fate>) -> (Vec<(u64, u64)>, Vec<Duration>) {
    let on_the_way: Vec<_> = probes.iter().filter(|(_, f)| f.came != Came::FailedHere).collect();
    let streaks = on_the_way.chunk_by(|(_, a), (_, b)| a.came == b.came);
    let streaks = streaks.filter(|streak| streak.len() >= 2 && streak[0].1.came == Came::Failed);
    let outages = streaks.map(|streak| (*streak[0].0, *streak[streak.len() - 1].0)).collect();
    let after = |number: u64| probes.get(&(number + 1)).and_then(|fate| fate.reply);
    let pairs = probes.iter().filter_map(|(number, fate)| fate.reply.zip(after(*number)));
    (outages, pairs.map(|(a, b)| a.abs_diff(b)).collect())
}

proptest! {
    /// In whatever order probes end, and whichever of them do not, the figures are those of all that
    /// have ended in the order of their numbers.
    #[test]
    fn figures_do_not_depend_on_the_order_of_the_ends(
        probes in prop::collection::vec((0..4u8, 0..50u64, 0..400u64, prop::bool::weighted(0.95)), 1..200),
    ) {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut ends: Vec<_> = (1..).zip(&probes).filter(|(_, probe)| probe.3).map(|(number, probe)| {
            let came = [Came::AsExpected, Came::Failed, Came::Failed, Came::FailedHere][usize::from(probe.0)];
            let reply = (came == Came::AsExpected).then_some(ms(probe.1));
            (number * 10 + probe.2, number, Fate { sent: start + ms(number * 10), came, reply })
        }).collect();
        ends.sort_unstable_by_key(|(at, number, _)| (*at, *number));
        let mut succession = Succession::default();
        for (_, number, fate) in &ends {
            succession.enter(*number, *fate);
        }
        let Figures { outages, jitter } = succession.so_far();
        let all = ends.iter().map(|(_, number, fate)| (*number, *fate)).collect();
        let (expected, differences) = reference(&all);
        let found: Vec<_> = outages.newest.iter().map(|outage| (outage.first, outage.last)).collect();
        prop_assert_eq!(outages.count, expected.len() as u64);
        prop_assert_eq!(&found[..], &expected[expected.len().saturating_sub(found.len())..]);
        let longest = outages.newest.iter().map(Outage::duration).max();
        if outages.count <= outages.newest.len() as u64 {
            prop_assert_eq!(outages.longest.map(|longest| longest.duration()), longest);
        }
        let sum: Duration = differences.iter().sum();
        let mean = sum.as_nanos().checked_div(differences.len() as u128);
        prop_assert_eq!(jitter.mean().map(|mean| mean.as_nanos()), mean);
    }
}

#[test]
fn a_probe_that_never_ends_holds_up_no_more_than_so_many() {
    let fate = Fate { sent: Instant::now(), came: Came::AsExpected, reply: Some(Duration::ZERO) };
    let mut succession = Succession::default();
    for number in 2..=3 * MOST_AHEAD {
        succession.enter(number, fate);
        assert!(succession.waiting.len() as u64 <= MOST_AHEAD);
    }
    assert!(succession.waiting.is_empty(), "the first one is passed over");
    let failed = Fate { came: Came::Failed, ..fate };
    succession.enter(1, failed);
    assert_eq!(succession.next, 3 * MOST_AHEAD + 1, "and does not count when it ends after all");
    // However far the next one is.
    succession.enter(100 * MOST_AHEAD, failed);
    assert_eq!(succession.waiting.len() as u64, MOST_AHEAD);
}

#[test]
fn parts_have_new_figures_and_what_waits_counts_in_the_part_in_which_it_gets_its_place() {
    let start = Instant::now();
    let at = |number: u64| start + Duration::from_millis(100 * number);
    let failed = |number| Fate { sent: at(number), came: Came::Failed, reply: None };
    let ok = |number| Fate { came: Came::AsExpected, ..failed(number) };
    let mut first = Succession::default();
    first.enter(1, failed(1));
    first.enter(2, failed(2));
    first.enter(4, failed(4));
    let mut second = first.split();
    second.enter(3, failed(3));
    second.enter(5, ok(5));
    let outage = |part: &Succession| part.so_far().outages.longest.unwrap();
    let (before, after) = (outage(&first), outage(&second));
    assert_eq!((before.first, before.last, before.end), (1, 2, None), "it goes on");
    assert_eq!((after.first, after.last, after.end), (3, 4, Some(at(5))));
}

#[test]
fn the_newest_and_the_longest_of_many_outages_are_kept() {
    let start = Instant::now();
    let mut outages = Outages::default();
    let mut number = 0;
    for nth in 0..1000 {
        let failures = if nth == 3 { 10 } else { 2 };
        for nth in 0..=failures {
            number += 1;
            let came = if nth < failures { Came::Failed } else { Came::AsExpected };
            outages.add(
                number,
                &Fate { sent: start + Duration::from_secs(number), came, reply: None },
            );
        }
    }
    assert_eq!((outages.count, outages.newest.len()), (1000, 64));
    assert_eq!(outages.newest.last().map(|outage| outage.last), Some(number - 1));
    assert_eq!(outages.longest.map(|outage| (outage.first, outage.probes)), Some((10, 10)));
}
