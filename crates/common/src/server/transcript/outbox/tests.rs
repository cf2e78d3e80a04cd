use super::*;
use std::io::Read;
use std::os::fd::AsFd;
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
    let outbox = Outbox::new(None).unwrap();
    outbox.start(out, notice, move || broken_tx.send(()).unwrap()).unwrap();
    Rig { outbox, answers, written, broken }
}

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn lines_come_out_in_order_and_all_of_them_at_the_end() {
    let Rig { outbox, answers, written, .. } = rig();
    drop(answers);
    for n in 0..1000 {
        outbox.put(format!("{n}\n").as_bytes());
        outbox.publish(Instant::now());
    }
    outbox.close();
    let all: String = written.iter().collect();
    assert!(all.lines().eq((0..1000).map(|n| n.to_string())));
}

#[test]
fn lines_that_find_no_room_are_counted() {
    let Rig { outbox, answers, written, .. } = rig();
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    // One buffer is with the writer, which is stuck, and another one waits: a third
    // finds no room.
    let lines = 3 * LIMIT / line.len();
    for _ in 0..lines {
        outbox.put(&line);
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
    let Rig { outbox, answers, written, .. } = rig();
    let full = || Err(io::ErrorKind::StorageFull.into());
    answers.send(full()).unwrap();
    outbox.put(b"one\ntwo\n");
    // Wait until the writer has met the full disk and sleeps again.
    let met = |state: &State| state.writer == Writer::Asleep && state.lines.is_empty();
    while !met(&outbox.shared.lock()) {
        outbox.publish(Instant::now());
        thread::yield_now();
    }
    drop(answers);
    outbox.put(b"three\n");
    outbox.publish(Instant::now());
    let mut seen = String::new();
    while !seen.ends_with("three\n") {
        seen += &written.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(seen, "2 dropped\nthree\n");
}

#[test]
fn a_broken_pipe_is_reported_once() {
    let Rig { outbox, answers, broken, .. } = rig();
    answers.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
    outbox.put(b"into the void\n");
    outbox.publish(Instant::now());
    broken.recv_timeout(PATIENCE).unwrap();
    outbox.put(b"and more\n");
    outbox.close();
    assert_eq!(broken.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn the_writer_is_woken_from_sleep_once_a_turn_and_from_lingering_for_plenty_alone() {
    // Nobody writes here.
    let outbox = Outbox { shared: Arc::default() };
    let writer_is = |outbox: &Outbox| outbox.shared.lock().writer;
    let set = |outbox: &Outbox, writer| outbox.shared.lock().writer = writer;

    set(&outbox, Writer::Asleep);
    outbox.publish(Instant::now());
    assert_eq!(writer_is(&outbox), Writer::Asleep, "there is nothing to write");
    outbox.put(b"one\n");
    assert_eq!(writer_is(&outbox), Writer::Asleep, "the turn is not over");
    outbox.publish(Instant::now());
    assert_eq!(writer_is(&outbox), Writer::Busy);

    set(&outbox, Writer::Lingering);
    outbox.put(b"two\n");
    outbox.publish(Instant::now());
    assert_eq!(writer_is(&outbox), Writer::Lingering, "it looks by itself");
    outbox.put(&[b'x'; PLENTY]);
    assert_eq!(writer_is(&outbox), Writer::Busy);

    set(&outbox, Writer::Asleep);
    outbox.put(b"three\n");
    assert_eq!(writer_is(&outbox), Writer::Busy, "there is plenty");
}

/// An output that takes so many bytes.
struct Narrow(Vec<u8>, usize);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.1);
        self.0.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_written_at_once_is_not_written_again() {
    for (room, left) in [(100, ""), (5, "wo\n"), (0, "one\ntwo\n")] {
        let Rig { outbox, answers, written, .. } = rig();
        drop(answers);
        while outbox.shared.lock().writer != Writer::Asleep {
            thread::yield_now();
        }
        outbox.put(b"one\ntwo\n");
        let mut now = Narrow(Vec::new(), room);
        outbox.write_now(&mut now);
        outbox.put(b"three\n");
        outbox.close();
        let later: String = written.iter().collect();
        assert_eq!(later, format!("{left}three\n"), "{room}");
        assert_eq!([&now.0, later.as_bytes()].concat(), b"one\ntwo\nthree\n");
    }
}

#[test]
fn nothing_is_written_at_once_that_would_come_before_earlier_lines() {
    let Rig { outbox, answers, written, .. } = rig();
    outbox.put(b"one\n");
    outbox.publish(Instant::now());
    // The writer is stuck in its first write.
    while !outbox.shared.lock().lines.is_empty() {
        outbox.publish(Instant::now());
        thread::yield_now();
    }
    outbox.put(b"two\n");
    let mut now = Narrow(Vec::new(), 100);
    outbox.write_now(&mut now);
    drop(answers);
    outbox.close();
    assert_eq!(
        (now.0.as_slice(), written.iter().collect::<String>().as_str()),
        (&b""[..], "one\ntwo\n")
    );
}

/// An outbox with a direct way into a pipe, whose writer sleeps and does nothing, and the pipe.
fn beside_a_pipe() -> (Outbox, io::PipeReader) {
    let (reader, output) = io::pipe().unwrap();
    let state =
        State { writer: Writer::Asleep, direct: Direct::to(output.as_fd()), ..State::default() };
    (Outbox { shared: Arc::new(Shared { state: Mutex::new(state), ..Shared::default() }) }, reader)
}

/// What is in a pipe.
fn read(reader: &mut io::PipeReader) -> String {
    let mut buffer = [0; 2 * AT_ONCE];
    let len = reader.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

#[test]
fn slow_lines_are_written_directly_and_wake_nobody() {
    let (outbox, mut reader) = beside_a_pipe();
    let start = Instant::now();
    for n in 0..100 {
        outbox.put(b"one\n");
        outbox.put(b"two\n");
        outbox.publish(start + LINGER * n);
        assert_eq!(read(&mut reader), "one\ntwo\n");
        assert_eq!(outbox.shared.lock().writer, Writer::Asleep);
    }
}

#[test]
fn a_load_of_lines_wakes_the_writer() {
    let (outbox, mut reader) = beside_a_pipe();
    let now = Instant::now();
    let mut puts = 0;
    while outbox.shared.lock().writer == Writer::Asleep {
        outbox.put(b"x\n");
        outbox.publish(now);
        puts += 1;
    }
    assert!((2..100).contains(&puts), "{puts}");
    assert_eq!(read(&mut reader).len(), 2 * (puts - 1), "the last line is left to the writer");
    assert_eq!(outbox.shared.lock().lines, b"x\n");
}

#[test]
fn what_a_pipe_does_not_take_is_left_to_the_writer() {
    let (outbox, mut reader) = beside_a_pipe();
    let record = [b"x".repeat(AT_ONCE), b"\n".to_vec()].concat();
    let now = Instant::now();
    // More than a pipe takes at once.
    outbox.put(&record);
    outbox.publish(now);
    assert_eq!(outbox.shared.lock().writer, Writer::Busy);
    assert_eq!(read(&mut reader) + "\n", String::from_utf8(record.clone()).unwrap());
    assert_eq!(outbox.shared.lock().lines, b"\n");
    // A full pipe, whatever its size is.
    let mut full = outbox.shared.lock().direct.take().unwrap();
    while full.write(&record).is_ok() {}
    let state = State { writer: Writer::Asleep, direct: Some(full), ..State::default() };
    *outbox.shared.lock() = state;
    outbox.put(b"one\n");
    outbox.publish(now);
    assert_eq!(outbox.shared.lock().writer, Writer::Busy);
    assert_eq!(outbox.shared.lock().lines, b"one\n");
}

#[test]
fn nothing_comes_before_the_notice_that_lines_are_missing() {
    let (outbox, mut reader) = beside_a_pipe();
    outbox.shared.lock().is_behind = true;
    outbox.put(b"later\n");
    outbox.write_now(Narrow(Vec::new(), 100));
    outbox.publish(Instant::now());
    assert_eq!(outbox.shared.lock().lines, b"later\n");
    assert_eq!(outbox.shared.lock().writer, Writer::Busy, "the writer is to print the notice");
    drop(outbox);
    assert_eq!(read(&mut reader), "", "nothing has been written");
}

#[test]
fn without_a_direct_way_slow_lines_do_not_make_the_writer_linger() {
    let outbox = Outbox { shared: Arc::default() };
    let now = Instant::now();
    outbox.shared.lock().writer = Writer::Asleep;
    outbox.put(b"one\n");
    outbox.publish(now);
    let mut state = outbox.shared.lock();
    assert_eq!(state.writer, Writer::Busy);
    state.pace.note_lines(now, true);
    assert!(!state.pace.lingers());
}

#[test]
fn a_slow_reader_gets_all_lines_in_order() {
    let (mut reader, output) = io::pipe().unwrap();
    let outbox = Outbox::new(Direct::to(output.as_fd())).unwrap();
    outbox.start(output, |_| String::new(), || ()).unwrap();
    // More than a pipe holds.
    let lines: Vec<_> = (0..50_000).map(|n| format!("{n}\n")).collect();
    let start = Instant::now();
    for (n, line) in (0..).zip(&lines) {
        outbox.put(line.as_bytes());
        outbox.publish(start + LINGER * n);
    }
    let closing = thread::spawn(move || outbox.close());
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    closing.join().unwrap();
    assert_eq!(all, lines.concat());
}

#[test]
fn without_a_writer_the_end_does_not_wait() {
    let outbox = Outbox::new(None).unwrap();
    outbox.put(b"one\n");
    let begun = Instant::now();
    assert!(!outbox.close());
    assert!(begun.elapsed() < FLUSH);
}
