//! The periods of a run (`--every`): each has a summary of its own.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use common::testing::{Event, Finished, Running, run};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// A server that does with each datagram, by its number from 0, what `fate` does. Returns its
/// address.
fn server(fate: impl Fn(u32, &dyn Fn()) + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for number in 0.. {
            let (_, peer) = socket.recv_from(&mut [0; 1024]).unwrap();
            // The client may have ended meanwhile.
            fate(number, &|| drop(socket.send_to(OK, peer)));
        }
    });
    address
}

/// The periods and the summary.
fn parts(ended: &Finished) -> (Vec<Event>, Event) {
    let event = |line| Event::as_documented(line, "udp-client");
    let mut events: Vec<_> = ended.stdout.lines().map(event).collect();
    let summary = events.pop().unwrap();
    assert_eq!(summary.name(), "summary");
    events.retain(|event| event.name() == "period");
    (events, summary)
}

fn counts(event: &Event) -> Vec<u64> {
    let names = ["sent", "ok", "late", "skipped", "sent_late", "held", "duplicate", "failed"];
    let of = |event: &Event, names: &[&str]| -> Vec<u64> {
        names.iter().map(|name| event.number(name)).collect()
    };
    let verdicts = of(&event.object("verdicts"), &["ok", "no-reply", "refused"]);
    let buckets = event.list("buckets").iter().map(|bucket| bucket.number("count")).collect();
    [of(event, &names), verdicts, buckets].concat()
}

#[test]
fn the_periods_add_up_to_the_run_and_each_begins_afresh() {
    let address = server(|number, reply| match number % 7 {
        3 => {}
        5 => (0..2).for_each(|_| reply()),
        _ => reply(),
    });
    // At the end of a period, some probes are out.
    let args = ["-c", "60", "-i", "20ms", "-W", "250ms", "--every", "300ms", "--json", "-qq"];
    let ended = run(UDP_CLIENT, &[&[&*address], &args[..]].concat());
    let (periods, summary) = parts(&ended);
    assert!(periods.len() >= 4, "{periods:?}");
    let columns = periods.iter().map(counts).reduce(|a, b| {
        let sum = |(a, b)| a + b;
        a.into_iter().zip(b).map(sum).collect()
    });
    assert_eq!(columns.unwrap(), counts(&summary));
    assert_eq!(summary.number("sent"), 60);
    let most = periods.iter().map(|period| period.number("sent")).max();
    assert!(most < Some(30), "{periods:?}");
    // What is out at the end of a period ends in a later one.
    let mut out = 0;
    for period in &periods {
        let verdicts = period.object("verdicts");
        let ended = verdicts.number("ok") + verdicts.number("no-reply");
        out = out + period.number("sent") - ended;
        assert_eq!(period.number("unfinished"), out, "{period:?}");
        let all = period.list("buckets").pop().unwrap();
        let counted = all.number("count") + period.number("sent_late");
        assert!((all.number("count")..=counted).contains(&period.number("ok")), "{period:?}");
        assert_eq!(period.is_null("loss_percent"), ended == 0, "{period:?}");
    }
    assert_eq!(out, 0);
    assert_eq!(periods[0].text("begin"), summary.text("begin"));
    for pair in periods.windows(2) {
        assert_eq!(pair[0].text("end"), pair[1].text("begin"));
    }
    assert_eq!(ended.status, Some(1), "the exit status is that of the run");
}

#[test]
fn a_late_reply_counts_when_it_comes_and_makes_no_loss_of_that_period_good() {
    let address = server(|number, reply| {
        if number == 0 {
            // The reply comes in the second period, in which another probe is lost.
            thread::sleep(Duration::from_millis(500));
            reply();
        }
    });
    let args = ["-c", "2", "-i", "450ms", "-W", "100ms", "--every", "400ms", "--json", "-qq"];
    let (periods, summary) = parts(&run(UDP_CLIENT, &[&[&*address], &args[..]].concat()));
    let figures = |event: &Event| ["sent", "lost", "late"].map(|name| event.number(name));
    assert_eq!(periods.iter().map(figures).collect::<Vec<_>>(), [[1, 1, 0], [1, 1, 1]]);
    assert_eq!(figures(&summary), [2, 1, 1]);
}

#[test]
fn a_period_in_which_the_machine_was_stopped_is_as_long_as_it_was() {
    let address = server(|_, reply| reply());
    let args = [&*address, "-c", "0", "-i", "20ms", "-w", "2s", "--every", "200ms"];
    let client = Running::start(UDP_CLIENT, &[&args[..], &["--json", "-qq"]].concat());
    // Time has to pass in which nothing is measured: some periods.
    thread::sleep(Duration::from_millis(300));
    client.stop();
    thread::sleep(Duration::from_millis(700));
    client.go_on();
    let (periods, _) = parts(&client.finish());
    let elapsed: Vec<_> = periods.iter().map(|period| period.decimal("elapsed_ms")).collect();
    let long = elapsed.iter().position(|elapsed| *elapsed > 650.0).unwrap();
    // No period of its own for what ended meanwhile: after the long one there are those that still end, every 200 ms
    // until 2 s, and a short one at the end.
    let went_on: f64 = elapsed[..=long].iter().sum();
    let ends = (went_on / 200.0).floor();
    assert!(elapsed.len() as f64 <= (long + 1) as f64 + (10.0 - ends) + 1.0, "{elapsed:?}");
    assert!(elapsed[long + 1] <= 400.0, "{elapsed:?}");
    assert!(periods[long].number("skipped") + periods[long + 1].number("skipped") > 0);
}

#[test]
fn a_period_ends_in_time_where_no_probe_wakes_the_client() {
    let address = server(|_, reply| reply());
    let args = ["-c", "2", "-i", "900ms", "--every", "100ms", "--json", "-qq"];
    let (periods, _) = parts(&run(UDP_CLIENT, &[&[&*address], &args[..]].concat()));
    let sent: Vec<_> = periods.iter().map(|period| period.number("sent")).collect();
    assert!(periods.len() >= 6 && sent[0] == 1 && sent[1..].iter().sum::<u64>() == 1, "{sent:?}");
    // Nothing was sent in it, so that nothing is known of it.
    assert!(periods[1].is_null("loss_percent") && periods[1].is_null("reply_ms"), "{periods:?}");
}

#[test]
fn people_have_the_same_block_for_each_period() {
    let address = server(|_, reply| reply());
    let args = [&*address, "-c", "5", "-i", "100ms", "--every", "250ms"];
    let ended = run(UDP_CLIENT, &[&args[..], &["-q"]].concat());
    let headings: Vec<_> = ended.stdout.lines().filter(|line| line.starts_with("---")).collect();
    assert_eq!(headings.len(), 3, "{ended:?}");
    assert!(headings[0].starts_with(&format!("--- {address}, period 1, until 20")), "{ended:?}");
    assert!(headings[1].starts_with(&format!("--- {address}, period 2, until 20")), "{ended:?}");
    assert_eq!(headings[2], format!("--- {address}"));
    assert_eq!(ended.stdout.matches(" sent in ").count(), 3, "{ended:?}");
    // Where the probes have lines, a period's block follows those of its probes.
    let ended = run(UDP_CLIENT, &args);
    let before = ended.stdout.split("---").next().unwrap();
    assert_eq!(before.matches(": probe=").count(), 3, "{ended:?}");
}

#[test]
fn a_period_is_not_too_short() {
    let ended = run(UDP_CLIENT, &["-c", "1", "--every", "9ms"]);
    let line = "udp-client: --every 9ms: shorter than 10ms\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(2)));
}
