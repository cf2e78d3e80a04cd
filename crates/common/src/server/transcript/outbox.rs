//! The outbox: a bounded buffer of lines, and a thread that writes them out.
//!
//! An event loop that wrote its own transcript would stop serving whenever nobody
//! reads it. With the outbox a line costs the loop one lock and one copy. The only
//! system call wakes the writer, if the writer sleeps: once a turn
//! ([`Outbox::publish`]), or when [`PLENTY`] bytes wait. When nobody reads and the
//! buffer is full, lines are dropped and counted, and the count is printed once there
//! is room again.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::server::memory;

use super::printer::{Printer, count_lines};

/// The most bytes that wait to be written: the lines of some 50,000 exchanges.
const LIMIT: usize = 4 * 1024 * 1024;

/// When this many bytes wait, the writer is woken before the turn is over.
const PLENTY: usize = 64 * 1024;

/// A thread's stack, as the standard library has it.
const STACK: usize = 2 * 1024 * 1024;

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
    writer: Writer,
    /// Whether the program ends: the writer then ends once the buffer is empty.
    closed: bool,
}

/// What the writer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Busy,
    Asleep,
    /// The writer has ended, at the end or because of a broken pipe: lines are
    /// discarded.
    Gone,
}

impl Outbox {
    /// Starts the thread that writes to `out`. That thread calls `on_broken_pipe` when
    /// the reader is gone for good. `notice` makes the line that says how many lines
    /// are missing.
    ///
    /// # Errors
    /// The system cannot start a thread, or has no memory.
    pub(crate) fn start(
        out: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
        on_broken_pipe: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        if !memory::is_left(2 * PLENTY + STACK) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // Room for the first lines, whatever memory is left later.
        let batch = Vec::with_capacity(PLENTY);
        let state = State { lines: Vec::with_capacity(PLENTY), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), ..Shared::default() });
        let outbox = Self { shared: Arc::clone(&shared) };
        thread::Builder::new().name("transcript".to_owned()).spawn(move || {
            if shared.write_all_to(Printer::new(out, notice), batch).is_err() {
                on_broken_pipe();
            }
        })?;
        Ok(outbox)
    }

    /// Wakes the writer if it sleeps and there is something to write.
    pub(crate) fn publish(&self) {
        let state = self.shared.lock();
        self.shared.wake(state, 1);
    }

    /// Waits until everything is written, but no longer than [`FLUSH`]. The rest is
    /// lost.
    pub(crate) fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.work.notify_one();
        let still_writing = |state: &mut State| state.writer != Writer::Gone;
        let _unless_poisoned = self.shared.ended.wait_timeout_while(state, FLUSH, still_writing);
    }
}

/// Each call writes one record of one or more lines, which is kept whole or dropped.
impl Write for Outbox {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        if state.writer == Writer::Gone {
            return Ok(record.len());
        }
        // Once lines are missing, the notice about them comes before any later line.
        if state.dropped == 0 && has_room(&state.lines, record.len()) {
            state.lines.extend_from_slice(record);
        } else {
            state.dropped += count_lines(record);
        }
        self.shared.wake(state, PLENTY);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Nothing panics while it holds the lock, so a poisoned lock guards sound data.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer if it sleeps and at least `least` bytes wait, or lines are missing.
    fn wake(&self, mut state: MutexGuard<'_, State>, least: usize) {
        let has_work = state.lines.len() >= least || state.dropped > 0;
        if state.writer == Writer::Asleep && has_work {
            state.writer = Writer::Busy;
            // Unlock first, or the writer would wake only to wait for the lock.
            drop(state);
            self.work.notify_one();
        }
    }

    /// Runs on the writer's thread. Returns when the outbox is closed and empty, or
    /// with a broken pipe.
    fn write_all_to(
        &self,
        mut printer: Printer<impl Write, impl Fn(u64) -> String>,
        mut batch: Vec<u8>,
    ) -> io::Result<()> {
        let ended = loop {
            let Some(dropped) = self.next_batch(&mut batch) else {
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
    fn next_batch(&self, batch: &mut Vec<u8>) -> Option<u64> {
        batch.clear();
        let mut state = self.lock();
        while state.lines.is_empty() && state.dropped == 0 {
            if state.closed {
                return None;
            }
            state.writer = Writer::Asleep;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer = Writer::Busy;
        mem::swap(&mut state.lines, batch);
        Some(mem::take(&mut state.dropped))
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
mod tests {
    use super::*;
    use std::sync::mpsc::{self, Receiver, Sender};

    /// An output whose every write waits until the test says how it ends.
    struct Scripted {
        answers: Receiver<io::Result<()>>,
        written: Sender<String>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.answers.recv().unwrap_or(Ok(()))?;
            let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Rig {
        outbox: Outbox,
        answers: Sender<io::Result<()>>,
        written: Receiver<String>,
        broken: Receiver<()>,
    }

    fn rig() -> Rig {
        let (answers, answers_rx) = mpsc::channel();
        let (written_tx, written) = mpsc::channel();
        let (broken_tx, broken) = mpsc::channel();
        let out = Scripted { answers: answers_rx, written: written_tx };
        let notice = |lines| format!("{lines} dropped\n");
        let outbox = Outbox::start(out, notice, move || broken_tx.send(()).unwrap()).unwrap();
        Rig { outbox, answers, written, broken }
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn lines_come_out_in_order_and_all_of_them_at_the_end() {
        let Rig { mut outbox, answers, written, .. } = rig();
        drop(answers);
        for n in 0..1000 {
            writeln!(outbox, "{n}").unwrap();
            outbox.publish();
        }
        outbox.close();
        let all: String = written.iter().collect();
        assert!(all.lines().eq((0..1000).map(|n| n.to_string())));
    }

    #[test]
    fn lines_that_find_no_room_are_counted() {
        let Rig { mut outbox, answers, written, .. } = rig();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        // One buffer is with the writer, which is stuck, and another one waits: a third
        // finds no room.
        let lines = 3 * LIMIT / line.len();
        for _ in 0..lines {
            outbox.write_all(&line).unwrap();
        }
        drop(answers);
        outbox.close();
        let all: String = written.iter().collect();
        let (kept, notices): (Vec<_>, Vec<_>) = all.lines().partition(|l| l.starts_with('x'));
        assert!(kept.len() >= LIMIT / line.len(), "{} kept", kept.len());
        assert!(!notices.is_empty());
        let dropped: usize =
            notices.iter().map(|n| n.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(kept.len() + dropped, lines);
    }

    #[test]
    fn after_a_full_disk_the_number_of_missing_lines_is_printed() {
        let Rig { mut outbox, answers, written, .. } = rig();
        let full = || Err(io::ErrorKind::StorageFull.into());
        answers.send(full()).unwrap();
        writeln!(outbox, "one\ntwo").unwrap();
        // Wait until the writer has met the full disk and sleeps again.
        let met = |state: &State| state.writer == Writer::Asleep && state.lines.is_empty();
        while !met(&outbox.shared.lock()) {
            outbox.publish();
            thread::yield_now();
        }
        drop(answers);
        writeln!(outbox, "three").unwrap();
        outbox.publish();
        let mut seen = String::new();
        while !seen.ends_with("three\n") {
            seen += &written.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(seen, "2 dropped\nthree\n");
    }

    #[test]
    fn a_broken_pipe_is_reported_once() {
        let Rig { mut outbox, answers, broken, .. } = rig();
        answers.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        writeln!(outbox, "into the void").unwrap();
        outbox.publish();
        broken.recv_timeout(PATIENCE).unwrap();
        writeln!(outbox, "and more").unwrap();
        outbox.close();
        assert_eq!(broken.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
