//! Runs a server's event loops, each on a thread of its own (`--workers`).

use std::thread;

use crate::exit::{Failure, reason};
use crate::server::shutdown::Shutdown;

/// Calls `run` for every event loop, for the first one on this thread, and waits
/// until all have returned.
///
/// # Errors
/// The first failure, in the order of the loops. A loop that fails stops the others
/// too, for the kernel would go on giving the failed one its share of the traffic.
pub fn run<L: Send>(
    loops: &mut [L],
    shutdown: &Shutdown,
    run: impl Fn(&mut L) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let run = |event_loop: &mut L| run(event_loop).inspect_err(|_| shutdown.request());
    let Some((first, others)) = loops.split_first_mut() else {
        return Ok(());
    };
    thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut result = Ok(());
        for event_loop in others {
            match thread::Builder::new().spawn_scoped(scope, || run(event_loop)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    result = Err(Failure::local("--workers", reason(&error)));
                    shutdown.request();
                    break;
                }
            }
        }
        result = result.and(run(first));
        for thread in threads {
            let ended = thread.join();
            result = result.and(ended.unwrap_or_else(|_| Err(Failure::outcome("worker", "died"))));
        }
        result
    })
}
