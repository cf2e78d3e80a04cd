//! Standard output as an event loop may write to it: without ever waiting for a reader.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::libc::{MSG_DONTWAIT, O_NONBLOCK};
use nix::sys::stat::{SFlag, fstat};
use socket2::Socket;

/// A pipe or a socket that takes what it has room for, and fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock) rather than wait.
///
/// `O_NONBLOCK` belongs to an open file, which other processes share: a shell may find its own
/// terminal or pipe non-blocking afterwards. So a pipe is opened once more for us alone, by its
/// name in /proc (pipe(7), proc_pid_fd(5)), and a socket has a flag for each call (send(2)).
#[derive(Debug)]
pub(crate) enum Direct {
    Pipe(File),
    Socket(Socket),
}

impl Direct {
    /// The direct way to `output`. There is none to a file, whose disk may be busy, or to a
    /// terminal, and none if the system does not let a pipe be opened again: without /proc, or
    /// if it is another user's.
    pub(crate) fn to(output: BorrowedFd<'_>) -> Option<Self> {
        match SFlag::from_bits_truncate(fstat(output).ok()?.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFIFO => {
                let name = format!("/proc/self/fd/{}", output.as_raw_fd());
                let opened = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(name);
                opened.ok().map(Self::Pipe)
            }
            SFlag::S_IFSOCK => output.try_clone_to_owned().ok().map(|own| Self::Socket(own.into())),
            _ => None,
        }
    }
}

impl Write for Direct {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.write(bytes),
            Self::Socket(socket) => socket.send_with_flags(bytes, MSG_DONTWAIT),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Both ends of a pipe, and of a connection.
    fn channels() -> [(Box<dyn Read>, OwnedFd); 2] {
        let (pipe, into_pipe) = io::pipe().unwrap();
        let (socket, into_socket) = UnixStream::pair().unwrap();
        [(Box::new(pipe), into_pipe.into()), (Box::new(socket), into_socket.into())]
    }

    #[test]
    fn a_full_output_is_not_waited_for_and_stays_as_others_know_it() {
        for (mut reader, output) in channels() {
            let mut direct = Direct::to(output.as_fd()).unwrap();
            let mut filled = 0;
            let error = loop {
                match direct.write(&[b'x'; 1000]) {
                    Ok(written) => filled += written,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            assert!(filled >= 4096, "{filled}");
            reader.read_exact(&mut vec![0; filled]).unwrap();
            direct.write_all(b"more").unwrap();
            let flags = nix::fcntl::fcntl(&output, nix::fcntl::F_GETFL).unwrap();
            assert_eq!(flags & O_NONBLOCK, 0, "the output of others still blocks");
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_an_error() {
        for (reader, output) in channels() {
            let mut direct = Direct::to(output.as_fd()).unwrap();
            drop(reader);
            assert_eq!(direct.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn a_file_is_left_to_whoever_may_wait() {
        let file = File::open("/proc/self/exe").unwrap();
        assert!(Direct::to(file.as_fd()).is_none());
        let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
        assert!(Direct::to(null.as_fd()).is_none());
    }
}
