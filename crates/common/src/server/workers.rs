//! A server's event loops: one to a thread (`--workers`).

use std::thread;

use crate::exit::{Failure, reason};
use crate::server::shutdown::Shutdown;

/// Has every worker `serve`, the first one on this thread, and waits for all.
///
/// # Errors
/// The first worker's failure there is. One that fails ends the others: the
/// kernel would go on giving it its share of what comes.
pub fn run<W: Send>(
    workers: &mut [W],
    shutdown: &Shutdown,
    serve: impl Fn(&mut W) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let serve = |worker: &mut W| serve(worker).inspect_err(|_| shutdown.request());
    let Some((first, others)) = workers.split_first_mut() else {
        return Ok(());
    };
    thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut result = Ok(());
        for worker in others {
            match thread::Builder::new().spawn_scoped(scope, || serve(worker)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    result = Err(Failure::local("--workers", reason(&error)));
                    shutdown.request();
                    break;
                }
            }
        }
        result = result.and(serve(first));
        for thread in threads {
            let ended = thread.join();
            result = result.and(ended.unwrap_or_else(|_| Err(Failure::outcome("worker", "died"))));
        }
        result
    })
}
