//! In which direction probes were lost: what a run asks a witness, and what it says then.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use common::inquiry::{self, Question, Seen};
use common::testing::{Event, PATIENCE, Running, run};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

/// What becomes of a probe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    LostThere,
    LostBack,
}
use Fate::{Answered, LostBack, LostThere};

/// What a witness does with inquiries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    /// Not the first time.
    Hesitates,
    Silent,
    /// It answers as another host.
    Renamed,
}

/// A witness that treats probes as `fates` say, and a word each time that it is asked.
fn witness(fates: &'static [Fate], manner: Manner) -> (SocketAddr, Receiver<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (inquiries, asked) = mpsc::channel();
    thread::spawn(move || {
        let (mut seen, mut fates) = (BTreeMap::<u16, u64>::new(), fates.iter());
        let mut hesitates = manner == Manner::Hesitates;
        let mut buffer = [0; 2048];
        for number in 1.. {
            let (len, peer) = socket.recv_from(&mut buffer).unwrap();
            let message = &buffer[..len];
            if !inquiry::is_one(message) {
                let fate = *fates.next().unwrap();
                if fate != LostThere {
                    *seen.entry(peer.port()).or_default() += 1;
                }
                if fate == Answered {
                    let reply = format!("host=w peer={peer} n={number}");
                    socket.send_to(reply.as_bytes(), peer).unwrap();
                }
                continue;
            }
            // Not every test counts them.
            let _ = inquiries.send(());
            if manner == Manner::Silent || mem::take(&mut hesitates) {
                continue;
            }
            let known = |question: Question| {
                let count = seen.get(&question.port).copied().unwrap_or_default();
                Some(Seen { count, oldest_ms: 0 })
            };
            let host = if manner == Manner::Renamed { "x" } else { "w" };
            let answer = inquiry::answer(host, &peer.to_string(), 1_000_000, message, known);
            socket.send_to(&answer, peer).unwrap();
        }
    });
    (address, asked)
}

const FATES: &[Fate] = &[Answered, LostThere, LostBack, Answered, LostThere];
const RUN: [&str; 6] = ["-c", "5", "-i", "20ms", "-W", "200ms"];

/// The summary of a run to `address`, and how often the witness was `asked`.
fn summary(address: SocketAddr, asked: &Receiver<()>, options: &[&str]) -> (Event, usize) {
    let address = address.to_string();
    let args = [&[address.as_str(), "--json"], &RUN[..], options].concat();
    let ended = run(UDP_CLIENT, &args);
    let last = ended.stdout.lines().last().unwrap();
    (Event::as_documented(last, "udp-client"), asked.try_iter().count())
}

#[test]
fn a_run_says_in_which_direction_probes_were_lost() {
    for (manner, asked_times) in [(Manner::Answers, 1), (Manner::Hesitates, 2)] {
        let (address, asked) = witness(FATES, manner);
        let (summary, times) = summary(address, &asked, &[]);
        let lost = ["lost", "lost_there", "lost_back"].map(|field| summary.number(field));
        assert_eq!((lost, times), ([3, 2, 1], asked_times));
    }
    let (address, _) = witness(FATES, Manner::Answers);
    let ended = run(UDP_CLIENT, &[&[address.to_string().as_str()], &RUN[..]].concat());
    let words = "\n3 lost (2 on the way there, 1 on the way back).\n";
    assert!(ended.stdout.contains(words), "{ended:?}");
}

#[test]
fn what_is_not_certain_is_not_said() {
    for (manner, asked_times) in [(Manner::Silent, 3), (Manner::Renamed, 1)] {
        let (address, asked) = witness(FATES, manner);
        let (summary, times) = summary(address, &asked, &[]);
        assert_eq!((summary.number("lost"), times), (3, asked_times));
        assert!(summary.is_null("lost_there") && summary.is_null("lost_back"));
    }
}

#[test]
fn nobody_is_asked_if_nothing_was_lost_or_time_is_up() {
    let (address, asked) = witness(&[Answered; 5], Manner::Answers);
    let (all, times) = summary(address, &asked, &[]);
    assert_eq!((all.number("lost"), times), (0, 0));
    assert!(all.is_null("lost_there"));
    let (address, asked) = witness(FATES, Manner::Answers);
    // The run listens for late replies until then.
    let (cut, times) = summary(address, &asked, &["--deadline", "400ms"]);
    assert_eq!((cut.number("lost"), times), (3, 0));
    assert!(cut.is_null("lost_there"));
}

#[test]
fn a_signal_ends_the_asking_with_the_summary() {
    let (address, asked) = witness(FATES, Manner::Silent);
    let address = address.to_string();
    let args = [&[address.as_str(), "--json"], &RUN[..]].concat();
    let client = Running::start(UDP_CLIENT, &args);
    asked.recv_timeout(PATIENCE).expect("somebody asks");
    client.signal(Signal::SIGINT);
    let ended = client.finish();
    let summary = Event::as_documented(ended.stdout.lines().last().unwrap(), "udp-client");
    assert_eq!((summary.number("lost"), asked.try_iter().count()), (3, 0), "nobody asks again");
    assert!(summary.is_null("lost_there"));
}
