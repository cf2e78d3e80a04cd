//! How many datagrams the kernel dropped because a receive buffer was full.
//!
//! The kernel counts them for each socket, and lists the counts in `/proc/net/udp` and
//! `udp6` (proc_net(5)). Datagrams that were coalesced before they were dropped count as
//! one, so the number is a lower bound. It is read only when the totals are printed.
//!
//! (`SO_MEMINFO` has the same count. But under emulation the answer to that option may be
//! shorter than it should be, and nix panics at that.)

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

/// The tables of this process's network, which need not be that of `/proc/net`.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// How often the tables are read until they hold every socket. One that has more than a page
/// may lack a row if other sockets were closed meanwhile.
const TRIES: usize = 3;

/// The sockets whose drops are counted: their inodes, and how many drops each had before it
/// was watched.
#[derive(Debug, Default)]
pub struct KernelDrops(Mutex<HashMap<u64, u32>>);

impl KernelDrops {
    /// Counts the drops of `socket` from now on. If several event loops have duplicates
    /// of one socket, it counts once.
    pub fn watch(&self, socket: impl AsFd) -> io::Result<()> {
        let inode = File::from(socket.as_fd().try_clone_to_owned()?).metadata()?.ino();
        let before = drops().get(&inode).copied().unwrap_or_default();
        let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.entry(inode).or_insert(before);
        Ok(())
    }

    /// How many datagrams were dropped, at least; `None` if the system does not say.
    pub fn get(&self) -> Option<u64> {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |now: HashMap<u64, u32>| -> Option<u64> {
            // The kernel's 32-bit number wraps around.
            let each = |(inode, &before): (&u64, &u32)| {
                Some(u64::from(now.get(inode)?.wrapping_sub(before)))
            };
            sockets.iter().map(each).sum()
        };
        (0..TRIES).find_map(|_| sum(drops()))
    }
}

/// The drops of each UDP socket of this network, by its inode.
fn drops() -> HashMap<u64, u32> {
    let tables = TABLES.iter().filter_map(|path| fs::read_to_string(path).ok());
    let mut drops = HashMap::new();
    for table in tables {
        drops.extend(table.lines().filter_map(row));
    }
    drops
}

/// The inode in a row of a table, and the drops. The headline has none.
fn row(line: &str) -> Option<(u64, u32)> {
    /// The column of the inode. The drops have the last one.
    const INODE: usize = 9;
    let mut columns = line.split_ascii_whitespace();
    Some((columns.nth(INODE)?.parse().ok()?, columns.last()?.parse().ok()?))
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

    #[test]
    fn a_socket_that_the_system_does_not_list_has_no_count() {
        let drops = KernelDrops::default();
        let pipe = std::io::pipe().unwrap().0;
        drops.watch(pipe).unwrap();
        assert_eq!(drops.get(), None);
    }

    #[test]
    fn rows_are_read_as_the_kernel_writes_them() {
        let row4 = " 1081: 00000000:1A0A 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
                    1000        0 51617 2 0000000000000000 4711        ";
        assert_eq!(row(row4), Some((51617, 4711)));
        let headline = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
                        retrnsmt   uid  timeout inode ref pointer drops             ";
        assert_eq!(row(headline), None);
        assert_eq!(row(""), None);
    }
}
