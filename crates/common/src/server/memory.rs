//! Whether there is memory. A program in Rust ends when it asks for memory and gets none, so
//! what grows with the traffic asks here before it grows.

use std::hint::black_box;
use std::io::ErrorKind;

use crate::exit::Failure;

/// The bytes that have to be left: for the longest message in words, several times, as a line and
/// as JSON, and for what else is small.
const SPARE: usize = 256 * 1024;

/// Checks that an event loop can have `bytes`, and what it needs beside.
///
/// # Errors
/// It cannot.
pub fn check(bytes: usize) -> Result<(), Failure> {
    if is_left(bytes) { Ok(()) } else { Err(Failure::cannot_poll(&ErrorKind::OutOfMemory.into())) }
}

/// Whether this process can have `bytes` more, and what it needs beside.
#[must_use]
pub fn is_left(bytes: usize) -> bool {
    let mut tried: Vec<u8> = Vec::new();
    let is_left = tried.try_reserve_exact(bytes.saturating_add(SPARE)).is_ok();
    // After a large mapping is given back in one piece, glibc takes later ones of that size from
    // the heap, where they have to be cleared, page by page: mallopt(3), M_MMAP_THRESHOLD.
    tried.shrink_to(1);
    // A compiler may leave out memory that is not used.
    black_box(tried);
    is_left
}
