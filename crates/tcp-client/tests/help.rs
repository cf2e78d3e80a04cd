//! What `-h` and `--help` print.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use common::testing::{help, run};

mod counterpart;
use counterpart::reserved;

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

#[test]
fn the_help_fits_the_terminal_and_breaks_no_word() {
    help::assert_wraps(TCP_CLIENT);
}

#[test]
fn the_help_and_readme_have_the_same_options() {
    help::assert_readme_has_the_options(TCP_CLIENT, &["all", "clients", "tcp-client"]);
}

#[test]
fn each_verdict_is_explained() {
    let lines = help::section(TCP_CLIENT, "Verdicts");
    let words: Vec<_> = lines.iter().filter_map(|line| line.split("  ").next()).collect();
    let all = "ok refused unreachable timeout no-reply reset wrong-reply unresolved local";
    assert_eq!(words.join(" "), all);
}

#[test]
fn the_examples_do_what_they_say() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"ACK!");
        }
    });
    let (_held, closed) = reserved();
    let target = |expected: &str| if expected == "refused" { closed } else { open };
    for words in help::examples_to(TCP_CLIENT, target) {
        let ended = run(TCP_CLIENT, &words);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{words:?}: {ended:?}");
        // Of a connection there is nothing to print.
        let prints = !words.iter().any(|word| word == "--connect");
        assert_eq!(!ended.stdout.is_empty(), prints, "{words:?}");
    }
}
