//! What a peer sends is safe when it is printed, can be turned back, and does not look like
//! words of ours.

#![no_main]

use common::printable::{framed, printable, restore};
use libfuzzer_sys::fuzz_target;

/// What could move a cursor, forge a line, or turn around what is read.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || c == '\u{feff}'
}

fuzz_target!(|bytes: &[u8]| {
    let text = printable(bytes).to_string();
    assert!(!text.contains(is_unsafe), "{text:?}");
    assert_eq!(restore(&text).ok().as_deref(), Some(bytes), "{text:?}");
    let line = framed::alone(&text, bytes.len(), bytes.len(), &["["]).to_string();
    let begins = line.trim_start_matches(|c: char| !c.is_ascii_graphic());
    assert!(!begins.starts_with('['), "{line:?}");
    assert!(!line.ends_with(" shown)"), "{line:?}");
    assert_eq!(restore(&line).ok().as_deref(), Some(bytes), "{line:?}");
    assert_eq!(framed::quoted(bytes).matches('\'').count(), 2, "{text:?}");
});
