//! The file that has the figures of a run for Prometheus (`--prometheus`). A collector of text files
//! (node_exporter's) may read it at any time. So it is written under another name, whole, and then
//! takes the place of the one before (rename(2)).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::process;

use nix::fcntl::{AT_FDCWD, OFlag, open, renameat};
use nix::sys::stat::{Mode, SFlag, lstat};
use nix::unistd::unlink;

use crate::exit::{Failure, reason};
use crate::printable::printable;

/// Writes `text` to the file at `path`, anew.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(path: &CStr, text: &str) -> Result<(), Failure> {
    replace(path, text).map_err(|error| {
        // The name may have bytes that are unsafe on a terminal.
        let name = printable(path.to_bytes());
        Failure::local(format_args!("--prometheus {name}"), reason(&error))
    })
}

fn replace(path: &CStr, text: &str) -> io::Result<()> {
    let kind = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    // A device or a link would be replaced by a file.
    let is_other = lstat(path).is_ok_and(|known| kind(known.st_mode) != SFlag::S_IFREG);
    if is_other || path == c"-" {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a file"));
    }
    // Collectors read *.prom. Another client may write the same file.
    let mut whole = path.to_bytes().to_vec();
    whole.extend_from_slice(format!(".{}.tmp", process::id()).as_bytes());
    let whole = CString::new(whole)?;
    // One that is left over; then nothing that somebody else has put there is written to.
    let _ = unlink(&*whole);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mut file = File::from(open(&*whole, flags, Mode::from_bits_truncate(0o666))?);
    let written = file.write_all(text.as_bytes());
    let renamed = written.and_then(|()| Ok(renameat(AT_FDCWD, &*whole, AT_FDCWD, path)?));
    if renamed.is_err() {
        let _ = unlink(&*whole);
    }
    renamed
}
