//! What a program inherits from the test that starts it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use nix::sys::signal::{SigSet, Signal};

use super::reaped::PATIENCE;

/// Calls `start` with `signal` blocked: the processes that it starts inherit that.
pub fn with_blocked<T: Send>(signal: Signal, start: impl FnOnce() -> T + Send) -> T {
    let start = || {
        SigSet::from(signal).thread_block().expect("a signal can be blocked");
        start()
    };
    thread::scope(|scope| scope.spawn(start).join().expect("it starts"))
}

/// A file that is gone when the test ends.
#[derive(Debug)]
pub struct NamelessFile(File);

impl NamelessFile {
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("getthrough-file-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        let options = File::options().read(true).write(true).create_new(true).open(&path);
        let file = options.expect("a file can be made");
        fs::remove_file(path).expect("its name can be removed");
        Self(file)
    }

    /// The file as a program's standard input, or output.
    #[must_use]
    pub fn stdio(&self) -> Stdio {
        self.0.try_clone().expect("a descriptor").into()
    }

    /// What the file holds.
    #[must_use]
    pub fn text(&self) -> String {
        let len = self.0.metadata().expect("a file has a length").len();
        let mut bytes = vec![0; usize::try_from(len).expect("a short file")];
        self.0.read_exact_at(&mut bytes, 0).expect("the file can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first line, once it has been written.
    #[must_use]
    pub fn wait_for_line(&self) -> String {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if let Some((line, _)) = self.text().split_once('\n') {
                return line.to_owned();
            }
            thread::yield_now();
        }
        panic!("no line in {:?}", self.text());
    }
}
