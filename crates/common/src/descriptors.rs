//! How many descriptors this process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The limit of a system that does not tell it: the usual one.
const USUAL: u64 = 1024;

/// The limit as it is now.
#[must_use]
pub fn limit() -> usize {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((USUAL, USUAL));
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// Raises the limit as far as this process may. The usual soft limit, 1024, is
/// kept that low for programs that use `select`.
pub fn raise_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where it is refused, the server serves as many as it may.
        let _: nix::Result<()> = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
