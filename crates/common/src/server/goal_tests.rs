//! Scenarios of a goal.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn goal(count: Option<u64>, idle_exit: Option<u32>, message: Option<&str>) -> (Goal, Instant) {
    several(1, count, idle_exit, message)
}

fn several(
    loops: usize,
    count: Option<u64>,
    idle_exit: Option<u32>,
    message: Option<&str>,
) -> (Goal, Instant) {
    let begun = Instant::now();
    let idle_exit = idle_exit.map(|seconds| seconds * SECOND);
    let expect_message = message.map(|text| Text(text.as_bytes().to_vec()));
    (Goal::new(Asked { count, idle_exit, expect_message }, loops, begun), begun)
}

/// Whether the run is over once each loop has noticed whoever came before `at`.
fn is_over_at(goal: &Goal, at: Instant) -> bool {
    for number in 0..goal.noticed.len() {
        goal.note_noticed(number, at);
    }
    goal.is_over()
}

fn failure(goal: &Goal) -> String {
    goal.check().unwrap_err().to_string()
}

#[test]
fn a_count_is_reached() {
    let (goal, begun) = goal(Some(3), None, None);
    goal.note_exchanges(2);
    assert!(!goal.is_reached(0) && goal.is_reached(1));
    assert!(!is_over_at(&goal, begun + 100 * SECOND));
    goal.note_exchanges(1);
    assert!(goal.is_over());
    assert_eq!(goal.check(), Ok(()));
    assert_eq!(goal.look_at(0), None);
    let (endless, _) = self::goal(None, None, None);
    endless.note_exchanges(u64::MAX);
    assert!(!endless.is_reached(0));
}

#[test]
fn nobody_comes() {
    let (goal, begun) = goal(None, Some(2), None);
    assert_eq!(goal.look_at(0), Some(begun + 2 * SECOND));
    assert!(!is_over_at(&goal, begun + SECOND));
    assert!(is_over_at(&goal, begun + 2 * SECOND));
    assert_eq!(failure(&goal), "--idle-exit: nobody came in 2s");
    let (goal, begun) = self::goal(None, Some(2), None);
    goal.note_connection(begun);
    assert!(is_over_at(&goal, begun + 2 * SECOND));
    assert_eq!(goal.check(), Ok(()), "somebody came, and said nothing");
}

#[test]
fn each_arrival_postpones_the_end() {
    let (goal, begun) = goal(Some(5), Some(2), None);
    goal.note_connection(begun + SECOND);
    // Another loop's clock may be a little behind.
    assert!(goal.note_message(None, begun));
    goal.note_exchanges(1);
    assert_eq!(goal.look_at(0), Some(begun + 3 * SECOND));
    assert!(!is_over_at(&goal, begun + 2 * SECOND));
    assert_eq!(goal.check(), Ok(()), "a signal ended the run");
    assert!(is_over_at(&goal, begun + 3 * SECOND));
    assert_eq!(failure(&goal), "--count 5: 1 exchange, and then nobody for 2s");
}

#[test]
fn the_run_goes_on_until_the_slowest_loop_has_noticed_whoever_came() {
    let (goal, begun) = several(2, None, Some(2), None);
    assert!(goal.note_noticed(0, begun + 2 * SECOND));
    assert!(!goal.is_over(), "the other loop may still find somebody");
    // The first loop need not look again at once.
    assert_eq!(goal.look_at(0), Some(begun + 4 * SECOND));
    assert_eq!(goal.look_at(1), Some(begun + 2 * SECOND));
    goal.note_connection(begun + SECOND);
    assert!(!goal.note_noticed(1, begun + 2 * SECOND));
    assert!(!goal.is_over(), "somebody came in time");
    assert_eq!(goal.look_at(0), Some(begun + 3 * SECOND));
    assert!(goal.note_noticed(1, begun + 3 * SECOND) && !goal.is_over());
    assert!(goal.note_noticed(0, begun + 3 * SECOND) && goal.is_over());
    assert_eq!(goal.check(), Ok(()));
}

#[test]
fn each_loop_looks_again_in_time_whatever_the_others_do() {
    /// Steps in `--idle-exit`; the second loop sleeps through six of seven.
    const IDLE: u32 = 20;
    for (arrival, finder) in (1..100).flat_map(|arrival| [(arrival, 0), (arrival, 1)]) {
        let (goal, begun) = several(2, None, Some(1), None);
        let mut previous = [begun; 2];
        let ended = (1..200).find(|&step| {
            let now = begun + step * (SECOND / IDLE);
            for number in [0, 1] {
                let finds = step == arrival && number == finder;
                let is_awake = number == 0 || step % 7 == 0;
                if finds {
                    goal.note_connection(now);
                }
                if finds || is_awake && goal.look_at(number).is_some_and(|at| at <= now) {
                    goal.note_noticed(number, previous[number]);
                    previous[number] = now;
                }
            }
            goal.is_over()
        });
        let ended = ended.unwrap();
        let last = if arrival <= ended { arrival } else { 0 };
        // At most as late as the first loop may be, and the second one twice.
        let in_time = last + IDLE..=last + 2 * IDLE + 14;
        assert!(in_time.contains(&ended), "{arrival} by {finder}: {ended}");
    }
}

#[test]
fn only_an_expected_message_counts() {
    let (goal, begun) = goal(Some(1), Some(2), Some("token"));
    goal.note_connection(begun + SECOND);
    for message in [None, Some("toke"), Some("a token"), Some("")] {
        assert!(!goal.note_message(message.map(str::as_bytes), begun + SECOND));
    }
    assert_eq!(goal.look_at(0), Some(begun + 2 * SECOND), "nothing has postponed the end");
    assert!(goal.note_message(Some(b"token 7"), begun + SECOND));
    assert_eq!(goal.look_at(0), Some(begun + 3 * SECOND));
    assert!(is_over_at(&goal, begun + 3 * SECOND));
    assert_eq!(failure(&goal), "--count 1: 0 expected exchanges, and then none for 2s");
    let (goal, begun) = self::goal(None, Some(2), Some(""));
    assert!(!goal.note_message(None, begun), "the peer has sent no message");
    assert!(is_over_at(&goal, begun + 2 * SECOND));
    assert_eq!(failure(&goal), "--idle-exit: no expected message came in 2s");
    assert!(goal.note_message(Some(b""), begun), "an empty one is a message");
    assert_eq!(goal.check(), Ok(()));
}

#[test]
fn without_a_reader_the_run_ends_before_its_goal() {
    let unread = |goal: &Goal| goal.check_unread().unwrap_err().to_string();
    let (goal, begun) = goal(Some(2), None, Some("token"));
    goal.note_exchanges(1);
    let line = "--count 2: 1 expected exchange, and then standard output lost its reader";
    assert_eq!(unread(&goal), line);
    goal.note_exchanges(1);
    assert_eq!(goal.check_unread(), Ok(()));
    let (goal, _) = self::goal(None, Some(2), Some("token"));
    goal.note_connection(begun);
    let line = "--idle-exit 2s: no expected message had come when standard output lost its reader";
    assert_eq!(unread(&goal), line);
}

#[test]
fn whoever_is_left_waiting_has_come_and_may_be_the_expected_one() {
    for (count, message, result) in [
        (None, None, Ok(())),
        (
            Some(2),
            None,
            Err(Failure::outcome(
                "--count 2",
                "0 exchanges, and somebody waits who could not be served",
            )),
        ),
        (
            None,
            Some("token"),
            Err(Failure::local("--idle-exit", "somebody waits who could not be served")),
        ),
    ] {
        let (goal, begun) = goal(count, Some(2), message);
        assert!(is_over_at(&goal, begun + 2 * SECOND));
        goal.note_left_waiting();
        assert_eq!(goal.check(), result);
    }
}
