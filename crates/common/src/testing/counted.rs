//! What `scripts/counts` counts: the instructions of a piece of work.

use std::env;
use std::hint::black_box;

/// How often the work is done before it counts: buffers have grown then.
const UNCOUNTED: u64 = 200;

/// Does `work` as often as the environment variable `TIMES` says, each time after `prepare`. Only
/// what [`collected`] does is counted, in the thread that calls it.
pub fn count(mut prepare: impl FnMut(), mut work: impl FnMut()) {
    for _ in 0..UNCOUNTED {
        prepare();
        work();
    }
    let times = env::var("TIMES").map_or(1, |times| times.parse().expect("TIMES is a number"));
    for _ in 0..times {
        prepare();
        collected(&mut work);
    }
}

/// callgrind collects while this function runs: `--toggle-collect`.
#[inline(never)]
fn collected(work: &mut impl FnMut()) {
    black_box(work)();
}
