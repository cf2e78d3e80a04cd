//! What `-h` and `--help` print.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;

use common::testing::{help, run};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn the_help_fits_the_terminal_and_breaks_no_word() {
    help::assert_wraps(UDP_CLIENT);
}

#[test]
fn the_help_and_readme_have_the_same_options() {
    help::assert_readme_has_the_options(UDP_CLIENT, &["all", "clients", "udp-client"]);
}

#[test]
fn each_verdict_is_explained() {
    let lines = help::section(UDP_CLIENT, "Verdicts");
    let words: Vec<_> = lines.iter().filter_map(|line| line.split("  ").next()).collect();
    let all = "ok refused unreachable no-reply wrong-reply wrong-source unresolved local";
    assert_eq!(words.join(" "), all);
}

#[test]
fn the_examples_do_what_they_say() {
    let [answers, silent] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let (open, dropped) = (answers.local_addr().unwrap(), silent.local_addr().unwrap());
    thread::spawn(move || {
        while let Ok((_, peer)) = answers.recv_from(&mut [0; 1024]) {
            let _ = answers.send_to(b"ok", peer);
        }
    });
    let target = |expected: &str| if expected == "no-reply" { dropped } else { open };
    for words in help::examples_to(UDP_CLIENT, target) {
        let ended = run(UDP_CLIENT, &words);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{words:?}: {ended:?}");
        assert!(!ended.stdout.is_empty(), "{words:?}");
    }
}
