//! What the kernel dropped, because a receive buffer was full.
//!
//! It counts per socket, and tells with `SO_MEMINFO` (Linux 4.12). Datagrams that
//! were coalesced before they were dropped count as one, so this is the least
//! that was. Asked only when the totals are told.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};

/// Linux's `asm-generic/socket.h`; libc has no name for it.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_MEMINFO: libc::c_int = 55;
#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
const SO_MEMINFO: libc::c_int = 57;

sockopt_impl!(
    /// Linux's `sock_diag.h`: the numbers of `SK_MEMINFO_*`.
    MemoryInfo,
    GetOnly,
    libc::SOL_SOCKET,
    SO_MEMINFO,
    [u32; libc::SK_MEMINFO_DROPS as usize + 1]
);

/// The sockets whose drops are counted.
#[derive(Debug, Default)]
pub struct KernelDrops(Mutex<Vec<Watched>>);

/// A duplicate of a socket, and what it had dropped before.
#[derive(Debug)]
struct Watched {
    socket: OwnedFd,
    inode: u64,
    before: u32,
}

impl KernelDrops {
    /// From now on the drops of `socket` count. One that several loops have a
    /// duplicate of counts once.
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

    /// How many datagrams were dropped at least; `None` where the system does not tell.
    pub fn get(&self) -> Option<u64> {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = |watched: &Watched| {
            // The kernel's number goes round.
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

    /// More than any receive buffer holds.
    const FLOOD: usize = 5000;

    fn flood(socket: &UdpSocket) {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..FLOOD {
            sender.send_to(&[b'x'; 1000], socket.local_addr().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_is_dropped_from_now_on_is_counted_once() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        flood(&socket);
        let drops = KernelDrops::default();
        assert_eq!(drops.get(), Some(0));
        drops.watch(&socket).unwrap();
        drops.watch(socket.try_clone().unwrap()).unwrap();
        assert_eq!(drops.get(), Some(0), "what was before is not counted");
        // It is full, so all of these are dropped.
        flood(&socket);
        assert_eq!(drops.get(), Some(FLOOD as u64));
    }
}
