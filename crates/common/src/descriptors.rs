//! How many descriptors this process may have open: `RLIMIT_NOFILE`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use nix::Error as Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::exit::{Failure, reason};

/// The usual limit, for a system that does not say what the limit is.
const USUAL: u64 = 1024;

/// The current soft limit.
#[must_use]
pub fn limit() -> usize {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((USUAL, USUAL));
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// Raises the soft limit to the hard one. The soft limit is usually only 1024, for the sake
/// of programs that use `select`.
pub fn raise_limit() {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        // If the system refuses, the program makes do with the soft limit.
        Ok((soft, hard)) if soft < hard => {
            let _: nix::Result<()> = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
        _ => {}
    }
}

/// Checks that there is a descriptor left.
///
/// # Errors
/// There is none, and none will be given back: this process has just begun.
pub fn check_free() -> Result<(), Failure> {
    match UnixDatagram::unbound() {
        Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32) => {
            let limit = limit();
            Err(Failure::local(
                format_args!("RLIMIT_NOFILE {limit}"),
                "nothing is left for a connection",
            ))
        }
        _ => Ok(()),
    }
}

/// Checks that `count` more descriptors can be had, for a moment. So a program does not find out in
/// the middle of its work, or from a library that says something else.
///
/// # Errors
/// Says in words that they cannot.
pub fn check(count: usize) -> Result<(), String> {
    let any = io::stderr();
    let one = |_| any.as_fd().try_clone_to_owned();
    match (0..count).map(one).collect::<io::Result<Vec<OwnedFd>>>() {
        Err(error) if are_exhausted(&error) => {
            Err(format!("{} (at most {} for this process)", reason(&error), limit()))
        }
        // A system that refuses to copy a descriptor may still open one.
        _ => Ok(()),
    }
}

/// Whether `error` says that no more descriptors can be had.
#[must_use]
pub fn are_exhausted(error: &io::Error) -> bool {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
    matches!(errno, Errno::EMFILE | Errno::ENFILE)
}
