//! Lines on their way out: a bounded buffer, and a thread that empties it.
//!
//! An event loop that wrote its own transcript would stop serving whenever
//! nobody reads it. So a line costs the loop one lock and one copy, and no
//! system call but the one that wakes the writer where it sleeps: once a turn
//! ([`Outbox::publish`]), or when there is plenty. When nobody reads and the buffer is full, lines are dropped and
//! counted, and the count is printed once there is room again.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::printer::{Printer, count_lines};

/// The most bytes that wait for a reader: some 50,000 exchanges.
const LIMIT: usize = 4 * 1024 * 1024;

/// So much waiting wakes the writer before the turn is over.
const PLENTY: usize = 64 * 1024;

/// How long the end of the program may wait for a reader.
const FLUSH: Duration = Duration::from_secs(1);

/// The buffer, shared by those who write lines and the thread that prints.
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
    /// Nothing more will come: the writer ends once the buffer is empty.
    closed: bool,
}

/// What the writer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Busy,
    Asleep,
    /// It has ended, or its reader has gone: lines go nowhere.
    Gone,
}

impl Outbox {
    /// Starts the thread that writes to `out`; it calls `on_broken_pipe` when
    /// the reader is gone for good, and `notice` words the line that says how
    /// many lines were dropped.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(crate) fn start(
        out: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
        on_broken_pipe: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let outbox = Self { shared: Arc::clone(&shared) };
        thread::Builder::new().name("transcript".to_owned()).spawn(move || {
            if let Err(error) = shared.write_all_to(Printer::new(out, notice))
                && error.kind() == io::ErrorKind::BrokenPipe
            {
                on_broken_pipe();
            }
        })?;
        Ok(outbox)
    }

    /// Wakes the writer where it sleeps and there is something to write.
    pub(crate) fn publish(&self) {
        let state = self.shared.lock();
        self.shared.wake(state, 1);
    }

    /// Waits until everything is written, for [`FLUSH`] at most: what nobody
    /// has read by then is lost.
    pub(crate) fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.work.notify_one();
        let still_writing = |state: &mut State| state.writer != Writer::Gone;
        let _unless_poisoned = self.shared.ended.wait_timeout_while(state, FLUSH, still_writing);
    }
}

/// One call is one record, of one line or more; it is kept whole or dropped.
impl Write for Outbox {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        if state.writer == Writer::Gone {
            return Ok(record.len());
        }
        // Once lines are missing, the notice comes before any later one.
        if state.dropped > 0 || state.lines.len() + record.len() > LIMIT {
            state.dropped += count_lines(record);
        } else {
            state.lines.extend_from_slice(record);
        }
        self.shared.wake(state, PLENTY);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Nothing panics with the lock held, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer where it sleeps and `at_least` so many bytes wait.
    fn wake(&self, mut state: MutexGuard<'_, State>, at_least: usize) {
        if state.writer == Writer::Asleep && state.lines.len() >= at_least {
            state.writer = Writer::Busy;
            // Unlocked first: it would wake only to wait for the lock.
            drop(state);
            self.work.notify_one();
        }
    }

    /// The writer's thread. Returns when the outbox is closed and empty, or
    /// with the error after which nothing can be written any more.
    fn write_all_to(
        &self,
        mut printer: Printer<impl Write, impl Fn(u64) -> String>,
    ) -> io::Result<()> {
        let mut batch = Vec::new();
        let ended = loop {
            let Some(dropped) = self.next_batch(&mut batch) else {
                break Ok(());
            };
            match printer.print(&batch, dropped) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break Err(error),
                // A full disk may have room again; until then service goes on.
                Ok(()) | Err(_) => {}
            }
        };
        let mut state = self.lock();
        state.writer = Writer::Gone;
        state.lines = Vec::new();
        self.ended.notify_all();
        ended
    }

    /// Swaps what waits into `batch`, with the number of lines missing after
    /// it; `None` at the end.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{self, Receiver, Sender};

    /// A reader that takes a batch only when the test says how it goes.
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
    fn nobody_reads_and_the_lines_that_found_no_room_are_counted() {
        let Rig { mut outbox, answers, written, .. } = rig();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        // The writer holds one batch, stuck, and another waits: three do not fit.
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
    fn a_disk_that_was_full_says_how_much_is_missing() {
        let Rig { mut outbox, answers, written, .. } = rig();
        let full = || Err(io::ErrorKind::StorageFull.into());
        answers.send(full()).unwrap();
        writeln!(outbox, "one\ntwo").unwrap();
        // Until the writer has met the full disk, and sleeps again.
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
    fn a_reader_that_went_away_is_told_of_once() {
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
