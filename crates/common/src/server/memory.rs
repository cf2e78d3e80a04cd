//! Whether there is memory. A program in Rust ends when it asks for memory and gets none, so
//! what grows with the traffic asks here before it grows.

use std::hint::black_box;
use std::io::ErrorKind;

use crate::exit::Failure;

/// The bytes that have to be left: for the longest message in words, several times, as a line and
/// as JSON, and for what else is small.
const SPARE: usize = 256 * 1024;

/// Checks that an event loop can have `bytes`, and what it needs beside. It is called at the start.
///
/// # Errors
/// It cannot.
pub fn check(bytes: usize) -> Result<(), Failure> {
    let mut tried =
        reserve(bytes).ok_or_else(|| Failure::cannot_poll(&ErrorKind::OutOfMemory.into()))?;
    // After a large mapping is given back in one piece, glibc takes the next one of that size from
    // the heap, where it has to be cleared, page by page: mallopt(3), M_MMAP_THRESHOLD.
    tried.shrink_to(1);
    black_box(tried);
    Ok(())
}

/// Whether this process can have `bytes` more, and what it needs beside. With glibc it costs a
/// system call only when it is first asked for so many: see [`check`].
#[must_use]
pub fn is_left(bytes: usize) -> bool {
    reserve(bytes).map(black_box).is_some()
}

/// `bytes` and what is needed beside, if there is so much. A compiler may leave out memory that
/// is not used.
fn reserve(bytes: usize) -> Option<Vec<u8>> {
    let mut tried = Vec::new();
    tried.try_reserve_exact(bytes.saturating_add(SPARE)).ok()?;
    Some(tried)
}
