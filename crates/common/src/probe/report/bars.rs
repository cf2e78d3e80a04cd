//! The distribution of times as bars (`--histogram`).

use std::time::Duration;

use crate::duration::Millis;
use crate::probe::ledger::times::Times;

/// The height of a row is chosen so that the times span fewer rows than this. One more row
/// may be drawn, because rows begin at round times, and then the row of all longer times.
const MOST_ROWS: u128 = 15;

/// Times up to this percentile have rows of their own. All longer times share one row.
const DRAWN_THOUSANDTHS: u64 = 990;

/// Draws `times` in `width` columns.
#[must_use]
pub fn draw(times: &Times, width: usize) -> String {
    if times.samples() == 0 {
        return String::new();
    }
    let (begin, step, end) = scale(times);
    let mut rows = Vec::new();
    let mut row = begin;
    while row < end {
        rows.push(row);
        row += step;
    }
    if times.greatest() >= end {
        rows.push(end);
    }
    let counts = times.counts(&rows);
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let count_width = most.to_string().len();
    let labels: Vec<String> = rows.iter().map(|row| Millis(*row).to_string()).collect();
    let label_width = labels.iter().map(String::len).max().unwrap_or_default();
    let room = width.saturating_sub(label_width + count_width + " ms  ".len() + 1).max(1) as u128;
    let mut drawn = String::new();
    for ((label, count), row) in labels.iter().zip(counts).zip(rows) {
        // Rounded up, so that a single time is still seen.
        let length = (u128::from(count) * room).div_ceil(u128::from(most));
        let bar = "#".repeat(usize::try_from(length).unwrap_or_default());
        let more = if row >= end { '+' } else { ' ' };
        drawn += &format!("{label:>label_width$} ms{more} {count:>count_width$} {bar}");
        drawn.truncate(drawn.trim_end().len());
        drawn.push('\n');
    }
    drawn
}

/// The beginning of the first row, the time that each row covers, and the beginning of the
/// row of all longer times. A row covers 1, 2 or 5 times a power of ten.
fn scale(times: &Times) -> (Duration, Duration, Duration) {
    let nanos = |time: Duration| time.as_nanos().max(1);
    let least = nanos(times.least());
    let high = times.percentile(DRAWN_THOUSANDTHS).unwrap_or(times.greatest());
    let range = nanos(high).saturating_sub(least);
    let mut step = 1000_u128; // a microsecond: digits below that are not printed
    while range / step >= MOST_ROWS {
        let leading =
            std::iter::successors(Some(step), |s| Some(s / 10)).take_while(|s| *s > 0).last();
        step = if leading == Some(2) { step / 2 * 5 } else { step * 2 };
    }
    let begin = least / step * step;
    let end = (nanos(high) / step + 1) * step;
    let duration = |nanos: u128| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    (duration(begin), duration(step), duration(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fit_the_width_and_show_every_time() {
        let mut times = Times::default();
        // Not at the edges of rows, where a bucket may belong to either row.
        for nanos in (100_500..200_000).step_by(1000).chain([155_500, 155_500, 155_500, 5_000_000])
        {
            times.add(Duration::from_nanos(nanos));
        }
        assert_eq!(
            draw(&times, 40),
            "\
0.100 ms  10 #####################
0.110 ms  10 #####################
0.120 ms  10 #####################
0.130 ms  10 #####################
0.140 ms  10 #####################
0.150 ms  13 ###########################
0.160 ms  10 #####################
0.170 ms  10 #####################
0.180 ms  10 #####################
0.190 ms  10 #####################
0.200 ms+  1 ###
"
        );
    }

    #[test]
    fn a_single_time_is_a_single_bar() {
        let mut times = Times::default();
        assert_eq!(draw(&times, 80), "");
        times.add(Duration::from_micros(1234));
        assert_eq!(draw(&times, 20), "1.234 ms  1 ########\n");
    }
}
