//! What the schedule and the ledger take for a probe: `scripts/counts`.

use super::*;
use crate::testing::counted::count;

/// Probes of a run with these options, each of them sent when it is due, answered and counted.
fn count_probes(options: &str) {
    let mut now = Instant::now();
    let mut run = run(options, now, None);
    count(
        || (),
        || {
            run.begin_turn(now);
            let mut probe = run.take(now, &|_| true).unwrap();
            run.begin(&mut probe, now, now);
            now += Duration::from_micros(50);
            let times = Some(Duration::from_micros(40));
            let reply = Ok(b"ACK!".to_vec());
            let outcome =
                Outcome { reply: times, took: times, ..Outcome::of(Some(probe.address()), reply) };
            run.take_in(&probe, outcome, now);
            now = run.next_at(&|_| true, None).unwrap();
            run.report_ended().unwrap();
        },
    );
}

#[test]
#[ignore = "scripts/counts runs it"]
fn a_probe_as_soon_as_the_last_one_ended() {
    count_probes("-c 0 -i 0");
}

#[test]
#[ignore = "scripts/counts runs it"]
fn a_probe_each_second_of_sixteen_flows() {
    count_probes("-c 0 -i 1 --flows 16");
}
