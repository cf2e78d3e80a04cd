//! How what is sent leaves this machine: `--interface`.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use counterpart::{answer, assert_failed, client, server};

#[test]
fn an_interface_is_gone_by_and_without_it_nothing_is_sent() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (address, asked) = server(address, answer(b"ACK!"));
        let missing = client(address, &["--interface", "nosuch"]);
        let words = format!("{address}: local (cannot use interface nosuch: no such device)");
        assert_failed(&missing, 2, &words);
        let answered = client(address, &["--interface", "lo"]);
        assert_eq!((answered.status, answered.stdout.as_str()), (Some(0), "ACK!\n"));
        asked.join().unwrap();
    }
}
