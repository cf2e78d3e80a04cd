//! A run without a loop or sockets. The scenarios of udp-client show whole runs.

use clap::Parser;

use super::*;
use crate::options::of_words;
use crate::probe::outcome::trouble::Trouble;
use crate::probe::outcome::verdict::Verdict;
use crate::probe::persistence::Persistence;
use crate::probe::plan::Probing;
use crate::probe::report::Reporting;
use crate::probe::target::Target;
use crate::taken;

#[cfg(feature = "testing")]
#[path = "run_counts.rs"]
mod counts;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    probing: Probing,
    // The options of a run refer to these.
    #[command(flatten)]
    _persistence: Persistence,
    #[command(flatten)]
    reporting: Reporting,
}

taken!(Options { target, probing, _persistence, reporting });

fn options<'w>(words: impl IntoIterator<Item = &'w str>) -> Options {
    of_words(words).unwrap()
}

fn target() -> Destination {
    Destination::new(vec!["192.0.2.1:7000".parse().unwrap()], Duration::from_secs(5))
}

/// The run that this command line asks for.
fn run(command: &str, start: Instant, end: Option<Instant>) -> Run {
    let options = options(["test", "-qq"].into_iter().chain(command.split(' ')));
    let plan = options.probing.plan(&options.target).unwrap().unwrap();
    let reporter = Reporter::new("test", "192.0.2.1".parse().unwrap(), &options.reporting);
    Run::new(target(), plan, reporter, start, end)
}

#[test]
fn a_name_is_asked_for_again_where_a_run_has_no_end_or_it_is_wanted() {
    let every = |command: &str| {
        let options = options(["test"].into_iter().chain(command.split(' ')));
        options.probing.plan(&options.target).unwrap().unwrap().resolve_every
    };
    let secs = |secs| Some(Duration::from_secs(secs));
    for (command, expected) in [
        ("-c 0", secs(60)),
        ("-c 5", None),
        ("-c 0 --resolve-every 0", None),
        ("-c 5 --resolve-every 10s", secs(10)),
    ] {
        assert_eq!(every(command), expected, "{command}");
    }
}

#[test]
fn a_turn_ends_however_many_probes_are_due_and_fail_at_once() {
    let start = Instant::now();
    let schedule = Schedule::new(start, Duration::ZERO, 1, u64::MAX);
    let mut run = Run::of(target(), schedule, Ledger::default(), None);
    let now = start + Duration::from_secs(60);
    for _ in 0..3 {
        run.begin_turn(now);
        let mut sent = 0;
        while let Some(probe) = run.take(now, &|_| true) {
            let trouble = Trouble::new(Verdict::Local, "no way");
            run.take_in(&probe, Outcome::failed(None, trouble), now);
            sent += 1;
        }
        assert_eq!(sent, MOST_A_TURN);
        assert!(run.next_at(&|_| true, None).unwrap() <= now, "there is more to do at once");
    }
}

#[test]
fn what_is_skipped_at_the_end_is_counted() {
    let start = Instant::now();
    let late = start + Duration::from_secs(9);
    let mut to_the_end = run("-c 10 -i 100ms", start, None);
    assert!(to_the_end.take(late, &|_| true).is_none());
    assert!(to_the_end.is_over(late, None));
    assert_eq!(to_the_end.ledger().skipped, 10);
    let mut to_the_deadline = run("-c 1000 -i 100ms", start, Some(late));
    to_the_deadline.begin_turn(late);
    assert!(to_the_deadline.is_over(late, None));
    assert_eq!(to_the_deadline.ledger().skipped, 88, "but for those of the last 250 ms");
}

#[test]
fn at_the_deadline_a_refusal_has_as_much_time_as_refusals_take() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut run = run("-c 0 -i 100ms --expect refused", start, Some(at(1000)));
    let refused = || Outcome::failed(None, Trouble::new(Verdict::Refused, "refused"));
    for due in (0..900).step_by(100) {
        run.begin_turn(at(due));
        let mut probe = run.take(at(due), &|_| true).unwrap();
        run.begin(&mut probe, at(due), at(due));
        run.take_in(&probe, refused(), at(due + 45));
        run.report_ended().unwrap();
    }
    run.begin_turn(at(910));
    assert!(run.take(at(910), &|_| true).is_none(), "90 ms are left, and refusals take 45");
    assert!(run.is_over(at(910), None));
}

#[test]
fn an_interrupted_run_waits_for_what_is_out_and_for_nothing_else() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut run = run("-c 0 -i 10ms", start, None);
    let reply = |probe: &Probe| Outcome {
        reply: Some(Duration::from_micros(50)),
        ..Outcome::of(Some(probe.address()), Ok(Vec::new()))
    };
    let mut probe = run.take(start, &|_| true).unwrap();
    run.begin(&mut probe, start, start);
    run.take_in(&probe, reply(&probe), at(1));
    run.report_ended().unwrap();
    let mut last = run.take(at(10), &|_| true).unwrap();
    run.begin(&mut last, at(10), at(10));
    run.interrupt(Signal::SIGINT, at(11)).unwrap();
    run.begin_turn(at(50));
    assert!(run.take(at(50), &|_| true).is_none(), "nothing more is sent");
    assert!(!run.is_over(at(50), None), "this machine may be slow to wake the client");
    run.take_in(&last, reply(&last), at(60));
    assert!(run.is_over(at(60), None));
}

#[test]
fn only_a_run_that_has_ended_waits_for_late_replies() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    // With --wait a port may listen on, but nobody waits for that.
    let mut waiting = Run::again(target(), start, None, None);
    waiting.attempt(start, at(1000));
    let mut probe = waiting.take(start, &|_| true).unwrap();
    waiting.begin(&mut probe, start, start);
    let silence = Trouble::no_reply(Duration::from_millis(10));
    waiting.take_in(&probe, Outcome::failed(Some(probe.address()), silence), at(10));
    assert!(waiting.take_ended().is_some());
    assert_eq!(waiting.next_at(&|_| true, Some(at(20))), Some(at(1000)));
    assert!(!waiting.is_over(at(30), Some(at(20))));

    let mut measured = run("-c 1", start, None);
    let probe = measured.take(start, &|_| true).unwrap();
    assert_eq!(measured.next_at(&|_| true, Some(at(20))), None, "the probe is under way");
    let silence = Trouble::no_reply(Duration::from_millis(10));
    measured.take_in(&probe, Outcome::failed(Some(probe.address()), silence), at(10));
    assert_eq!(measured.next_at(&|_| true, Some(at(20))), Some(at(20)));
    assert!(!measured.is_over(at(19), Some(at(20))) && measured.is_over(at(20), Some(at(20))));
}
