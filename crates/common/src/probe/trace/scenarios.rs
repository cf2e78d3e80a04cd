//! Traces in scenarios that are written as plain text (`scenarios/*.txt`), and what holds of any.
//!
//! A scenario is the transcript of a trace from 10.0.0.1 to 10.1.9.2. Lines with `<` are played:
//! they are what comes. The other lines are expected: `>` is a hop that is asked, `=` the end. In
//! the heading, `datagrams` says that nobody knows what an answer belongs to, `late` that the answer
//! to the probe may still come, too, and `deadline` when everything ends.

use std::fmt::Write;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::probe::outcome::icmp::Version;

const LOCAL: &str = "10.0.0.1:40000";
const TARGET: &str = "10.1.9.2:6666";

struct World {
    start: Instant,
    now: Instant,
    trace: Trace,
    log: String,
    asked: u32,
}

impl World {
    fn new(start: Instant, end: Option<Instant>, answers: Answers) -> Self {
        let [local, target] = [LOCAL, TARGET].map(|address| address.parse().unwrap());
        let trace = Trace::new(local, target, start, end, answers);
        Self { start, now: start, trace, log: String::new(), asked: 0 }
    }

    /// Plays what comes, in the order of a client's loop, until the trace is over.
    fn play(&mut self, inputs: &[(Instant, &str)]) {
        let mut inputs = inputs.iter().peekable();
        loop {
            let until = match self.trace.next(self.now) {
                Next::Nothing => return,
                Next::Wait(until) => until,
                Next::Ask(hops) => {
                    self.say('>', &format!("hop {hops}"));
                    self.asked += 1;
                    self.trace.asked(LOCAL.parse().unwrap(), self.now);
                    continue;
                }
            };
            self.now = inputs.peek().map_or(until, |(at, _)| until.min(*at)).max(self.now);
            if let Some((_, text)) = inputs.next_if(|(at, _)| *at <= self.now) {
                self.say('<', text);
                self.come(text);
            }
        }
    }

    /// `answer`, `failure`, `exceeded by 10.0.0.254`, `3/13 by 10.0.0.254`
    fn come(&mut self, text: &str) {
        let (what, router) = text.split_once(" by ").unwrap_or((text, ""));
        let icmp = |kind, code| {
            let (version, router) = (Version::V4, router.parse().ok());
            IcmpError { version, kind, code, router, mtu: None }
        };
        match what.split_once('/') {
            None if what == "answer" => self.trace.reached(self.now),
            None if what == "failure" => self.trace.fail(&Errno::ENOBUFS.into()),
            None => self.trace.icmp(icmp(11, 0), self.now),
            Some((kind, code)) => {
                self.trace.icmp(icmp(kind.parse().unwrap(), code.parse().unwrap()), self.now);
            }
        }
    }

    fn say(&mut self, sign: char, what: &str) {
        let after = (self.now - self.start).as_millis();
        writeln!(self.log, "{after:>5} ms {sign} {what}").unwrap();
    }

    /// The transcript, and the way as it was found.
    fn conclude(mut self) -> String {
        let after = (self.now - self.start).as_millis();
        let path = self.trace.into_path();
        let (end, words) = (path.end.as_str(), path.to_string());
        writeln!(self.log, "{after:>5} ms = {end}: {words}").unwrap();
        for (at, hop) in path.hops.iter().enumerate() {
            let time = hop.time.map_or(String::new(), |time| format!("  {} ms", time.as_millis()));
            let nobody = if hop.is_silent { "*" } else { "?" };
            let router = hop.router.map_or(nobody.to_owned(), |router| router.to_string());
            writeln!(self.log, "{:3}  {router}{time}", at + 1).unwrap();
        }
        self.log
    }
}

fn played(text: &str) -> String {
    let start = Instant::now();
    let at = |ms: &str| start + Duration::from_millis(ms.trim().parse().unwrap());
    let deadline = text.lines().find_map(|line| line.strip_prefix("deadline "));
    let has = |word| text.lines().any(|line| line == word);
    let answers = match has("late") {
        is_probe_silent if is_probe_silent || has("datagrams") => {
            Answers::Unmatched { is_probe_silent }
        }
        _ => Answers::Matched,
    };
    let inputs = text.lines().filter_map(|line| line.split_once(" ms < "));
    let inputs: Vec<_> = inputs.map(|(ms, text)| (at(ms), text)).collect();
    let mut world = World::new(start, deadline.map(|ms| at(ms.trim_end_matches(" ms"))), answers);
    world.play(&inputs);
    world.conclude()
}

#[test]
fn all_scenarios() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/trace/scenarios");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (head, expected) = text.split_once("\n\n").expect("a heading");
        let played = played(&text);
        assert!(played == expected, "{}\n\n{head}\n\n{played}", path.display());
        count += 1;
    }
    assert!(count > 9, "only {count} scenarios were found");
}

proptest! {
    /// Whatever comes, and whenever: a trace ends in time, asks no hop more than twice (or three
    /// times, if an answer may be late; and again for what was too large), and says no hop twice.
    #[test]
    fn a_trace_is_bounded_in_count_and_time(
        inputs in prop::collection::vec((0..1500_u64, 0..7_usize), 0..200),
        deadline in prop::option::of(0..20_000_u64),
        kind in 0..3,
    ) {
        const TEXTS: [&str; 7] = [
            "answer", "exceeded by 10.0.0.254", "exceeded by 10.1.9.2", "3/13 by 10.0.0.254",
            "3/3 by 10.1.9.2", "3/4 by 10.0.0.254", "exceeded by nobody",
        ];
        let answers = match kind {
            0 => Answers::Matched,
            kind => Answers::Unmatched { is_probe_silent: kind == 2 },
        };
        let start = Instant::now();
        let end = deadline.map(|ms| start + Duration::from_millis(ms));
        let mut at = start;
        let inputs: Vec<_> = inputs.into_iter().map(|(pause, what)| {
            at += Duration::from_millis(pause);
            (at, TEXTS[what])
        }).collect();
        let mut world = World::new(start, end, answers);
        world.play(&inputs);
        let longest = Duration::from_millis(deadline.unwrap_or(u64::MAX)).min(LONGEST);
        prop_assert!(world.now - start <= longest);
        let asked = world.asked;
        let path = world.trace.into_path();
        let hops = u32::try_from(path.hops.len()).unwrap();
        prop_assert!(path.hops.len() <= MOST_HOPS);
        // Each hop twice, and once more after each claim; too large: two more each time. A hop is asked
        // and not named if the one before it rejects what is to go on.
        let last = path.hops.last().and_then(|hop| hop.router);
        let is_unnamed = matches!(path.end, End::Stopped(error) if error.router.is_some() && error.router == last);
        let hops_asked = hops + u32::from(is_unnamed);
        let most = hops_asked * (MOST_TRIES + u32::from(kind == 2)) + MOST_RESENDS * MOST_TRIES;
        prop_assert!(asked <= most, "{asked} of {most}: {path:?}");
        let silent = path.hops.iter().rev().take_while(|hop| hop.is_silent).count();
        prop_assert!(silent <= MOST_SILENT);
        prop_assert_eq!(path.end == End::Silent, silent == MOST_SILENT && path.end != End::OutOfTime && path.end != End::TooFar);
        prop_assert_eq!(path.last().map(|(hop, _)| hop), (hops as usize > silent).then_some(hops as usize - silent));
    }
}
