//! The outbox: a bounded buffer of lines, and a thread that writes them out.
//!
//! An event loop that waited for whoever reads its transcript would stop serving. With the
//! outbox a line costs the loop one lock and one copy, and once a turn ([`Outbox::publish`]) at
//! most one system call. While lines come slowly, that call writes them, if there is a
//! [`Direct`] way: then there is nothing to wait for, and no other thread to wake. Else it wakes
//! the writer, if the writer sleeps. While lines come fast, the writer does not sleep: it
//! lingers, and looks again by itself. It is also woken when [`PLENTY`] bytes wait. When nobody
//! reads and the buffer is full, lines are dropped and counted, and the count is printed once
//! there is room again.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::output::stdout::AT_ONCE;
use crate::server::memory;

use super::direct::Direct;
use super::pace::{LINGER, Pace};
use super::printer::{Printer, count_lines};

/// The most bytes that wait to be written: the lines of some 50,000 exchanges.
const LIMIT: usize = 4 * 1024 * 1024;

/// When this many bytes wait, the writer is woken before the turn is over, or while it lingers.
const PLENTY: usize = 64 * 1024;

/// How long the end of the program waits for the lines to be read.
const FLUSH: Duration = Duration::from_secs(1);

/// The buffer, shared by the event loops and the thread that writes.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when there is work for the writer.
    work: Condvar,
    /// Signalled when the writer has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    /// How the event loops write, if they can without waiting.
    direct: Option<Direct>,
    pace: Pace,
    writer: Writer,
    /// Whether the writer has yet to print how many lines are missing: nobody else writes before.
    is_behind: bool,
    /// Whether the program ends: the writer then ends once the buffer is empty.
    closed: bool,
}

/// What the writer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// It has no thread yet.
    #[default]
    Absent,
    /// Its thread does not run yet.
    Starting,
    Busy,
    /// It looks again soon, and is woken only for [`PLENTY`].
    Lingering,
    Asleep,
    /// The writer has ended, at the end or because of a broken pipe: lines are
    /// discarded.
    Gone,
}

impl Outbox {
    /// An outbox for an output to which there may be a `direct` way. It has no writer yet.
    ///
    /// # Errors
    /// As [`Outbox::check_memory`].
    pub(crate) fn new(direct: Option<Direct>) -> io::Result<Self> {
        Self::check_memory()?;
        // Room for the first lines, whatever memory is left later.
        let state = State { lines: Vec::with_capacity(PLENTY), direct, ..State::default() };
        let shared = Shared { state: Mutex::new(state), ..Shared::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Checks that there is memory for the first lines, and for the writer's thread.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn check_memory() -> io::Result<()> {
        let too_little = || io::ErrorKind::OutOfMemory.into();
        memory::can_map_thread(2 * PLENTY).then_some(()).ok_or_else(too_little)
    }

    /// Starts the thread that writes to `out`. That thread calls `on_broken_pipe` when the reader
    /// is gone for good. `notice` makes the line that says how many lines are missing. There has
    /// to be memory: [`Outbox::check_memory`].
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(crate) fn start(
        &self,
        out: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
        on_broken_pipe: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        // Room for the first lines, whatever memory is left later.
        let batch = Vec::with_capacity(PLENTY);
        let shared = Arc::clone(&self.shared);
        // The thread begins once the state is unlocked.
        let mut state = self.shared.lock();
        thread::Builder::new().name("transcript".to_owned()).spawn(move || {
            if shared.write_all_to(Printer::new(out, notice), batch).is_err() {
                on_broken_pipe();
            }
        })?;
        state.writer = Writer::Starting;
        Ok(())
    }

    /// Takes one record of one or more lines, whole, or drops it and counts its lines.
    pub(crate) fn put(&self, record: &[u8]) {
        let mut state = self.shared.lock();
        if state.writer == Writer::Gone {
            return;
        }
        // Once lines are missing, the notice about them comes before any later line.
        if state.dropped == 0 && has_room(&state.lines, record.len()) {
            state.lines.extend_from_slice(record);
        } else {
            state.dropped += count_lines(record);
        }
        if matches!(state.writer, Writer::Asleep | Writer::Lingering) && state.has_work(PLENTY) {
            self.shared.wake(state);
        }
    }

    /// Has what waits written, unless the writer is at it or looks again by itself: by this
    /// thread at `now`, if lines come slowly and if that takes no waiting, or else by the writer.
    pub(crate) fn publish(&self, now: Instant) {
        let mut state = self.shared.lock();
        if state.is_left_to_others() && !state.lines.is_empty() && state.may_write(now) {
            state.write_directly();
        }
        if state.writer == Writer::Asleep && state.has_work(1) {
            self.shared.wake(state);
        }
    }

    /// Writes what waits to `out` at once, unless the writer is writing, and as far as a pipe with
    /// room takes it without blocking. The rest is left to the writer.
    pub(crate) fn write_now(&self, out: impl Write) {
        let mut state = self.shared.lock();
        if state.is_left_to_others() {
            write_some(&mut state.lines, out);
        }
    }

    /// Waits until everything is written, but no longer than [`FLUSH`]. The rest is
    /// lost. Returns whether there is a writer: else nothing is written.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.shared.lock();
        if state.writer == Writer::Absent {
            return false;
        }
        state.closed = true;
        self.shared.work.notify_one();
        let still_writing = |state: &mut State| state.writer != Writer::Gone;
        let _unless_poisoned = self.shared.ended.wait_timeout_while(state, FLUSH, still_writing);
        true
    }
}

impl State {
    /// Whether at least `least` bytes wait, or lines are missing.
    fn has_work(&self, least: usize) -> bool {
        self.lines.len() >= least || self.dropped > 0
    }

    /// Whether the writer is not writing, and owes no line that comes before those that wait.
    fn is_left_to_others(&self) -> bool {
        let is_writing = matches!(self.writer, Writer::Busy | Writer::Lingering | Writer::Gone);
        !is_writing && !self.is_behind
    }

    /// Whether there is a direct way, and lines come so slowly that it pays at `now`.
    fn may_write(&mut self, now: Instant) -> bool {
        self.direct.is_some() && self.pace.take_write(now)
    }

    /// Writes what waits, or some of it, by the direct way.
    fn write_directly(&mut self) {
        if let Some(direct) = &mut self.direct {
            write_some(&mut self.lines, direct);
        }
    }
}

impl Shared {
    /// Nothing panics while it holds the lock, so a poisoned lock guards sound data.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer, which sleeps or lingers.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.writer = Writer::Busy;
        // Unlock first, or the writer would wake only to wait for the lock.
        drop(state);
        self.work.notify_one();
    }

    /// Runs on the writer's thread. Returns when the outbox is closed and empty, or
    /// with a broken pipe.
    fn write_all_to(
        &self,
        mut printer: Printer<impl Write, impl Fn(u64) -> String>,
        mut batch: Vec<u8>,
    ) -> io::Result<()> {
        let ended = loop {
            let Some(dropped) = self.next_batch(&mut batch, printer.is_behind()) else {
                break Ok(());
            };
            match printer.print(&batch, dropped) {
                Err(error) if is_broken(&error) => break Err(error),
                // A full disk may have room again later. The server goes on serving.
                Ok(()) | Err(_) => {}
            }
        };
        let mut state = self.lock();
        state.writer = Writer::Gone;
        state.lines = Vec::new();
        self.ended.notify_all();
        ended
    }

    /// Waits for lines and swaps them into `batch`. Returns how many lines are missing
    /// after them, or `None` at the end.
    fn next_batch(&self, batch: &mut Vec<u8>, is_behind: bool) -> Option<u64> {
        batch.clear();
        let mut state = self.lock();
        state.is_behind = is_behind;
        if state.pace.lingers() {
            state = self.linger(state);
        }
        let mut has_slept = false;
        while !state.has_work(1) {
            if state.closed {
                return None;
            }
            has_slept = true;
            state.writer = Writer::Asleep;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer = Writer::Busy;
        state.pace.note_lines(Instant::now(), has_slept);
        mem::swap(&mut state.lines, batch);
        Some(mem::take(&mut state.dropped))
    }

    /// Waits for more lines, but not for long, and not if there are plenty or the end has come.
    fn linger<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writer = Writer::Lingering;
        let may_linger = |state: &mut State| !state.closed && !state.has_work(PLENTY);
        let waited = self.work.wait_timeout_while(state, LINGER, may_linger);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Writes as much of `lines` as a pipe with room takes at once. The rest is left to the writer,
/// and so is any error, which it meets again.
fn write_some(lines: &mut Vec<u8>, mut out: impl Write) {
    let len = lines.len().min(AT_ONCE);
    if let Ok(written) = out.write(&lines[..len]) {
        lines.drain(..written);
    }
}

/// Whether `lines` may take another `len` bytes: there is a limit, and there has to be memory.
fn has_room(lines: &Vec<u8>, len: usize) -> bool {
    let needed = lines.len() + len;
    // A vector grows to twice its size.
    needed <= LIMIT
        && (needed <= lines.capacity() || memory::is_left(needed.max(2 * lines.capacity())))
}

/// Whether `error` says that nobody will ever read a pipe's or a connection's other end.
fn is_broken(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

#[cfg(test)]
mod tests;
