//! Runs a server's event loops, each on a thread of its own (`--workers`).

use std::io::ErrorKind;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use crate::exit::{Failure, reason};
use crate::server::memory;
use crate::server::shutdown::{Cause, Shutdown};

/// How the event loops ended: the first failure, in the order of the loops.
pub type Ended = Result<(), Failure>;

/// Calls `announce` once every event loop has a thread, and then `run` for every loop, for the
/// first one on this thread. Waits until all have returned. A loop that fails stops the others
/// too, for the kernel would go on giving the failed one its share of the traffic.
///
/// # Errors
/// The system refuses a thread, and nothing has been announced; or `announce` fails. Then no loop
/// has run.
pub fn run<L: Send>(
    loops: &mut [L],
    shutdown: &Shutdown,
    announce: impl FnOnce(&L) -> Result<(), Failure>,
    run: impl Fn(&mut L) -> Ended + Sync,
) -> Result<Ended, Failure> {
    let run =
        |event_loop: &mut L| run(event_loop).inspect_err(|_| shutdown.request(Cause::Failure));
    let Some((first, others)) = loops.split_first_mut() else {
        return Ok(Ok(()));
    };
    // Locked until all threads are there, and then true.
    let gate = Mutex::new(false);
    let is_open = || *gate.lock().unwrap_or_else(PoisonError::into_inner);
    // With glibc, a thread that starts reserves 128 MiB for a moment. Another one that starts just
    // then, and gets no memory, would end the program. So they start one after another.
    let has_started = Barrier::new(2);
    let run_after_gate = |event_loop| {
        has_started.wait();
        if is_open() { run(event_loop) } else { Ok(()) }
    };
    thread::scope(|scope| {
        let mut opened = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let mut threads = Vec::new();
        for event_loop in others {
            let thread = if memory::can_map_thread(0) {
                thread::Builder::new().spawn_scoped(scope, || run_after_gate(event_loop))
            } else {
                Err(ErrorKind::OutOfMemory.into())
            };
            // On an error the gate is unlocked, but not open.
            threads.push(thread.map_err(|e| Failure::local("--workers", reason(&e)))?);
            has_started.wait();
        }
        announce(first)?;
        *opened = true;
        drop(opened);
        let mut ended = run(first);
        for thread in threads {
            let died = |_| Err(Failure::outcome("worker", "died"));
            ended = ended.and(thread.join().unwrap_or_else(died));
        }
        Ok(ended)
    })
}
