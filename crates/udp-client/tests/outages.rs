//! The outages of a run, in words and in JSON.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::thread;

use common::testing::{Event, Finished, run};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const INTERVAL_MS: f64 = 50.0;

/// Runs probes to a server that does not answer those with these numbers. They end when later
/// ones have been answered long before.
fn probe(dead: [RangeInclusive<u32>; 2], options: &[&str]) -> Finished {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for number in 1.. {
            let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
            if dead.iter().all(|dead| !dead.contains(&number)) {
                server.send_to(b"ok", peer).unwrap();
            }
        }
    });
    run(UDP_CLIENT, &[&[&*address, "-c", "14", "-i", "50ms", "-W", "500ms"], options].concat())
}

/// The objects of such a run, the summary last.
fn events(dead: [RangeInclusive<u32>; 2]) -> Vec<Event> {
    let ended = probe(dead, &["--json", "-D"]);
    ended.stdout.lines().map(Event::parse).collect()
}

fn numbers(outage: &Event) -> [u64; 3] {
    ["first", "last", "probes"].map(|field| outage.number(field))
}

#[test]
fn outages_are_listed_with_when_they_began_and_ended() {
    let events = events([3..=4, 7..=10]);
    let summary = events.last().unwrap();
    let outages = summary.list("outages");
    let fields = ["begin", "duration_ms", "end", "first", "last", "probes"];
    assert!(outages.iter().all(|outage| outage.fields().iter().eq(&fields)), "{outages:?}");
    assert_eq!(outages.iter().map(numbers).collect::<Vec<_>>(), [[3, 4, 2], [7, 10, 4]]);
    let longest = summary.object("longest_outage");
    assert_eq!((summary.number("outage_count"), numbers(&longest)), (2, [7, 10, 4]));
    // A busy machine sends later, and never before the time.
    assert!(longest.decimal("duration_ms") > 3.0 * INTERVAL_MS, "{longest:?}");
    // Times of one form are in the order of their letters. That of a probe is when it had ended.
    let of = |number| events.iter().find(|event| event.number("number") == number).unwrap();
    let [begin, end] = ["begin", "end"].map(|field| longest.text(field));
    let [fifth, seventh, eleventh] = [5, 7, 11].map(|number| of(number).text("time"));
    assert!(fifth < begin && begin < seventh && end <= eleventh, "{longest:?} {events:?}");
    assert!(begin < end && end < summary.text("time"), "{longest:?} {events:?}");
}

#[test]
fn an_outage_that_goes_on_at_the_end_has_no_end() {
    let events = events([3..=3, 11..=99]);
    let summary = events.last().unwrap();
    let longest = summary.object("longest_outage");
    assert_eq!((numbers(&longest), summary.number("outage_count")), ([11, 14, 4], 1));
    assert!(longest.is_null("end") && longest.decimal("duration_ms") > 2.0 * INTERVAL_MS);
}

#[test]
fn the_longest_outage_is_said_in_words_and_a_single_loss_is_none() {
    let words = |dead| {
        let ended = probe(dead, &["-q"]);
        let lines: Vec<_> = ended.stdout.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| line.contains("outage"));
        let found = at.map(|at| lines[at..at + 2].to_vec());
        assert!(found.iter().flatten().all(|line| line.len() <= 80), "{found:?}");
        found
    };
    assert_eq!(words([3..=3, 9..=9]), None);
    assert_eq!(words([1..=99, 1..=99]), None, "the counts say it all");
    let both = words([3..=4, 7..=10]).unwrap();
    assert!(both[0].starts_with("2 outages. The longest lasted "), "{both:?}");
    assert!(both[0].contains("ms, from 20") && both[0].ends_with("Z to"), "{both:?}");
    assert!(both[1].ends_with("Z: 4 failed, probes 7 to 10."), "{both:?}");
    let open = words([3..=3, 13..=99]).unwrap();
    assert!(open[0].starts_with("1 outage. It lasted at least "), "{open:?}");
    assert!(open[0].ends_with("Z to"), "{open:?}");
    assert_eq!(open[1], "the end: 2 failed, probes 13 to 14.");
}
