//! Whether there is memory. A program in Rust ends when it asks for memory and gets none, so
//! what grows with the traffic asks here before it grows.

use std::hint::black_box;
use std::io::ErrorKind;

use crate::exit::Failure;

/// The bytes that have to be left: for the longest message in words, several times, as a line and
/// as JSON, and for what else is small.
const SPARE: usize = 256 * 1024;

/// A thread's stack, as the standard library has it.
const STACK: usize = 2 * 1024 * 1024;

/// Checks that an event loop can have `bytes`, and what it needs beside. It is called at the start.
///
/// # Errors
/// It cannot.
pub fn check(bytes: usize) -> Result<(), Failure> {
    let too_little = || Failure::cannot_poll(&ErrorKind::OutOfMemory.into());
    can_map(bytes).then_some(()).ok_or_else(too_little)
}

/// Whether a thread can have its stack and `bytes` more, and those that are just starting what they
/// need. A thread that has a stack and no more would end the program.
#[must_use]
pub fn can_map_thread(bytes: usize) -> bool {
    can_map(STACK + bytes)
}

/// Whether this process can map `bytes` more, and what it needs beside. Asked at the start: it
/// leaves nothing in the heap, which [`is_left`] does.
#[must_use]
pub fn can_map(bytes: usize) -> bool {
    let tried = reserve(bytes).map(|mut tried| {
        // After a large mapping is given back in one piece, glibc takes the next one of that size
        // from the heap, where it has to be cleared, page by page: mallopt(3), M_MMAP_THRESHOLD.
        tried.shrink_to(1);
        black_box(tried)
    });
    tried.is_some()
}

/// Whether this process can have `bytes` more, and what it needs beside. With glibc it costs a
/// system call only when it is first asked for so many: see [`can_map`].
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
