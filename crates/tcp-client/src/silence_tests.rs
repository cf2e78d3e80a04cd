//! The scenarios of `scenarios/silence.txt`.

use super::*;

const SCENARIOS: &str = include_str!("scenarios/silence.txt");

/// The value of `name` in `figures`, which are written as `name=value name=value`.
fn value(figures: &str, name: &str) -> Option<u32> {
    figures.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn played(figures: &str) -> String {
    let number = |name| value(figures, name).unwrap_or_default();
    // What is not written is zero, but what an old kernel does not know is not known.
    let known = |name| (!figures.contains("old-kernel")).then(|| number(name));
    let read = Figures {
        unacknowledged: number("unacknowledged"),
        segment: number("segment"),
        peers_segment: 1448,
        options: 12,
        sent_ago: Duration::from_millis(value(figures, "sent-ms-ago").unwrap_or(4990).into()),
        sent_again: number("sent-again"),
        held_back: known("held-back"),
        out_of_order: known("out-of-order"),
    };
    let sent = Sent { len: number("message") as usize, is_all: number("untaken") == 0 };
    let figures = (!figures.contains("no-figures")).then_some(read);
    let trouble = explain(Duration::from_secs(5), sent, figures);
    let suspected = trouble.suspicion.map(|Suspicion { way, size, is_weak, .. }| {
        let (way, how) =
            (format!("{way:?}").to_lowercase(), if is_weak { "perhaps" } else { "suspected" });
        format!("\n{how}: {size} bytes are too large for the way {way}")
    });
    trouble.to_string() + &suspected.unwrap_or_default()
}

#[test]
fn each_scenario_has_its_cause_in_true_words() {
    let mut played_so_far = 0;
    for scenario in SCENARIOS.trim_end().split("\n\n") {
        let mut lines = scenario.lines().filter(|line| !line.starts_with('#'));
        let (figures, words) = (lines.next().unwrap_or(""), lines.collect::<Vec<_>>().join("\n"));
        assert_eq!(played(figures), words, "{scenario}");
        played_so_far += 1;
    }
    assert!(played_so_far > 9);
}
