//! The file that has the figures of a run for Prometheus (`--prometheus`). A collector of text files
//! (node_exporter's) may read it at any time. So it is written under another name, whole, and then
//! takes the place of the one before (rename(2)).

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant, SystemTime};

use log::warn;

use crate::address::Address;
use crate::exit::{Failure, reason};
use crate::printable::printable;
use crate::probe::ledger::Ledger;
use crate::probe::report::exposition;

/// A file that cannot be written is warned of so often at most: whoever reads it sees by its age
/// that it is not written.
const WARN_EVERY: Duration = Duration::from_secs(600);

/// The figures of a run, in a file.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    path: PathBuf,
    program: &'static str,
    labels: String,
    warned: Option<Instant>,
}

impl Export {
    /// The figures of the run of `target` by `program`, in the file at `path`.
    pub(crate) fn new(path: &Path, program: &'static str, target: &Address) -> Self {
        let labels = exposition::labels(program, target);
        Self { path: path.to_owned(), program, labels, warned: None }
    }

    /// Writes the file before the run, in which nothing has been counted.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        let written = self.write(&Ledger::default(), None);
        written.map_err(|error| Failure::local(self.name(), reason(&error)))
    }

    /// Writes the file anew, with the figures of the run, which began at `begin`. If that fails, it
    /// is warned of, once in a while; `is_last` warns in any case.
    pub(crate) fn update(
        &mut self,
        ledger: &Ledger,
        begin: SystemTime,
        now: Instant,
        is_last: bool,
    ) {
        let Err(error) = self.write(ledger, Some(begin)) else {
            return;
        };
        let is_known = |warned| now.saturating_duration_since(warned) < WARN_EVERY;
        if is_last || !self.warned.is_some_and(is_known) {
            self.warned = Some(now);
            warn!("{}: {}: {}", self.program, self.name(), reason(&error));
        }
    }

    /// What is said to be at fault. The name may have bytes that are unsafe on a terminal.
    fn name(&self) -> String {
        let path = printable(self.path.as_os_str().as_bytes());
        format!("--prometheus {path}")
    }

    fn write(&self, ledger: &Ledger, begin: Option<SystemTime>) -> io::Result<()> {
        let invalid = |why| io::Error::new(ErrorKind::InvalidInput, why);
        let name = self.path.file_name().filter(|name| *name != "-");
        let mut name = name.ok_or(invalid("not the name of a file"))?.to_owned();
        // A device or a link would be replaced by a file.
        if fs::symlink_metadata(&self.path).is_ok_and(|known| !known.is_file()) {
            return Err(invalid("not a file"));
        }
        // Collectors read *.prom. Another client may write the same file.
        name.push(format!(".{}.tmp", process::id()));
        let whole = self.path.with_file_name(name);
        // One that is left over; then nothing that somebody else has put there is written to.
        let _ = fs::remove_file(&whole);
        let has_connections = self.program.starts_with("tcp");
        let text = exposition::of(&self.labels, has_connections, ledger, begin);
        let opened = OpenOptions::new().write(true).create_new(true).open(&whole);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        let renamed = written.and_then(|()| fs::rename(&whole, &self.path));
        if renamed.is_err() {
            let _ = fs::remove_file(&whole);
        }
        renamed
    }
}
