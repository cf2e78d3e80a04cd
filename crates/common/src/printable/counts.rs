//! What it takes to make a message printable: `scripts/counts`.

use std::fmt::Write;

use super::printable;
use crate::testing::counted::count;

fn count_printing(message: &[u8]) {
    let mut text = String::new();
    count(
        || (),
        || {
            text.clear();
            write!(text, "{}", printable(message)).unwrap();
        },
    );
}

#[test]
#[ignore = "scripts/counts runs it"]
fn the_tutorials_message() {
    count_printing(crate::protocol::DEFAULT_MESSAGE.as_bytes());
}

#[test]
#[ignore = "scripts/counts runs it"]
fn a_message_in_chinese() {
    count_printing("这只是一个测试！通不通？".as_bytes());
}

#[test]
#[ignore = "scripts/counts runs it"]
fn a_kilobyte_of_binary() {
    let message: Vec<u8> = (0..1024_u32).map(|n| (n * 167 % 256) as u8).collect();
    count_printing(&message);
}
