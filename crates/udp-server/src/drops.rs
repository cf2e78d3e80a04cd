//! How many datagrams the kernel dropped because a receive buffer was full.
//!
//! The kernel counts them for each socket; `SO_MEMINFO` (Linux 4.12) reads the count.
//! Datagrams that were coalesced before they were dropped count as one, so the number
//! is a lower bound. It is read only when the totals are printed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};

/// From Linux's `asm-generic/socket.h`; libc has no name for it.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_MEMINFO: libc::c_int = 55;
#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
const SO_MEMINFO: libc::c_int = 57;

sockopt_impl!(
    /// The numbers of `SK_MEMINFO_*`, from Linux's `sock_diag.h`.
    MemoryInfo,
    GetOnly,
    libc::SOL_SOCKET,
    SO_MEMINFO,
    [u32; libc::SK_MEMINFO_DROPS as usize + 1]
);

/// The sockets whose drops are counted.
#[derive(Debug, Default)]
pub struct KernelDrops(Mutex<Vec<Watched>>);

/// A duplicate of a socket, and how many drops it had before it was watched.
#[derive(Debug)]
struct Watched {
    socket: OwnedFd,
    inode: u64,
    before: u32,
}

impl KernelDrops {
    /// Counts the drops of `socket` from now on. If several event loops have duplicates
    /// of one socket, it counts once.
    pub fn watch(&self, socket: impl AsFd) -> io::Result<()> {
        let socket = File::from(socket.as_fd().try_clone_to_owned()?);
        let inode = socket.metadata()?.ino();
        let socket = OwnedFd::from(socket);
        let before = drops(&socket).unwrap_or_default();
        let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sockets.iter().any(|watched| watched.inode == inode) {
            sockets.push(Watched { socket, inode, before });
        }
        Ok(())
    }

    /// How many datagrams were dropped, at least; `None` if the system does not say.
    pub fn get(&self) -> Option<u64> {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = |watched: &Watched| {
            // The kernel's 32-bit number wraps around.
            Some(u64::from(drops(&watched.socket)?.wrapping_sub(watched.before)))
        };
        sockets.iter().map(each).sum()
    }
}

fn drops(socket: &OwnedFd) -> Option<u32> {
    getsockopt(socket, MemoryInfo).ok()?.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    /// More datagrams than any receive buffer holds.
    const FLOOD: usize = 5000;

    fn flood(socket: &UdpSocket) {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..FLOOD {
            sender.send_to(&[b'x'; 1000], socket.local_addr().unwrap()).unwrap();
        }
    }

    #[test]
    fn drops_are_counted_once_and_from_the_beginning_of_the_watch() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        flood(&socket);
        let drops = KernelDrops::default();
        assert_eq!(drops.get(), Some(0));
        drops.watch(&socket).unwrap();
        drops.watch(socket.try_clone().unwrap()).unwrap();
        assert_eq!(drops.get(), Some(0), "earlier drops do not count");
        // The buffer is full, so all of these are dropped.
        flood(&socket);
        assert_eq!(drops.get(), Some(FLOOD as u64));
    }
}
