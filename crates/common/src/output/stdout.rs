//! Standard output that takes everything, or returns an error.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::Error as Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

/// Standard output without a buffer. Writing blocks, even if another process has made the
/// shared pipe or terminal non-blocking.
#[derive(Debug)]
pub(crate) struct StandardOutput;

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = io::stdout();
        loop {
            match write(&out, bytes) {
                Err(Errno::EAGAIN) => {
                    let mut writable = [PollFd::new(out.as_fd(), PollFlags::POLLOUT)];
                    match poll(&mut writable, PollTimeout::NONE) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                done => return Ok(done?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many bytes a pipe takes at once if it has room: pipe(7), `PIPE_BUF`.
#[cfg(any(feature = "server", feature = "probe"))]
pub(crate) const AT_ONCE: usize = 4096;

/// Whether a line can be written without waiting for a reader: poll(2). A pipe with room
/// takes a line of up to [`AT_ONCE`] bytes whole. So it is if the reader has gone
/// from a full pipe: then writing fails at once. If the system refuses to say, it is tried.
pub(crate) fn has_room(output: BorrowedFd<'_>) -> bool {
    let mut output = [PollFd::new(output, PollFlags::POLLOUT)];
    poll(&mut output, PollTimeout::ZERO).is_err()
        || output[0]
            .revents()
            .is_some_and(|events| events.intersects(PollFlags::POLLOUT | PollFlags::POLLERR))
}
