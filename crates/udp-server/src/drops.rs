//! How many datagrams the kernel dropped because a receive buffer was full.
//!
//! The kernel counts them for each socket, and lists the counts in `/proc/net/udp` and
//! `udp6` (proc_net(5)). Datagrams that were coalesced before they were dropped count as
//! one, so the number is a lower bound. It is read only when the totals are printed.
//!
//! The tables list the sockets of all programs. With 20,000, to read them takes a tenth of a
//! second. So while an event loop serves, it reads no more than a part.
//!
//! (`SO_MEMINFO` has the same count. But under emulation the answer to that option may be
//! shorter than it should be, and nix panics at that.)

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use crate::limits::TABLE_PART;

/// The tables of this process's network, which need not be that of `/proc/net`.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// How often the tables are read until they hold every socket. One that has more than a page
/// may lack a row if other sockets were closed meanwhile.
const TRIES: usize = 3;

/// The drops of sockets, by their inodes.
type Drops = BTreeMap<u64, u32>;

/// The sockets whose drops are counted, and how many drops each had before it was watched.
#[derive(Debug, Default)]
pub struct KernelDrops(OnceLock<Drops>);

/// A socket whose drops are to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'s> {
    pub socket: BorrowedFd<'s>,
    /// Whether it may have dropped datagrams before this process had it: they do not count. To
    /// find out how many, the tables are read.
    pub is_old: bool,
}

impl KernelDrops {
    /// Counts the drops of `sockets`, of old ones those from now on. If several event loops have
    /// duplicates of one socket, it counts once. Only the first call does anything.
    pub fn watch<'s>(&self, sockets: impl IntoIterator<Item = Watched<'s>>) -> io::Result<()> {
        let inode = |socket: BorrowedFd<'_>| -> io::Result<u64> {
            Ok(File::from(socket.try_clone_to_owned()?).metadata()?.ino())
        };
        let (mut all, mut old) = (Drops::new(), Drops::new());
        for Watched { socket, is_old } in sockets {
            let inode = inode(socket)?;
            all.insert(inode, 0);
            old.extend(is_old.then_some((inode, 0)));
        }
        all.extend(drops(&old, &mut u64::MAX.clone()));
        let _ = self.0.set(all);
        Ok(())
    }

    /// How many datagrams were dropped, at least; `None` if the system does not say.
    pub fn get(&self) -> Option<u64> {
        self.within(u64::MAX)
    }

    /// As [`KernelDrops::get`], but does not hold up an event loop: also `None` if the sockets
    /// are not listed in the first part of the tables.
    pub fn get_soon(&self) -> Option<u64> {
        self.within(TABLE_PART)
    }

    /// How many datagrams were dropped, if `left` bytes of the tables are enough to say.
    fn within(&self, mut left: u64) -> Option<u64> {
        let nothing = Drops::new();
        let sockets = self.0.get().unwrap_or(&nothing);
        let sum = |now: Drops| -> Option<u64> {
            // The kernel's 32-bit number wraps around.
            let each = |(inode, &before): (&u64, &u32)| {
                Some(u64::from(now.get(inode)?.wrapping_sub(before)))
            };
            sockets.iter().map(each).sum()
        };
        (0..TRIES).find_map(|_| sum(drops(sockets, &mut left)))
    }
}

/// The drops of those of `sockets` that are listed. Reads the tables until it has found all, and
/// `left` bytes at most, which it takes off.
fn drops(sockets: &Drops, left: &mut u64) -> Drops {
    let mut found = Drops::new();
    for path in TABLES {
        if found.len() == sockets.len() {
            break;
        }
        let Ok(table) = File::open(path) else {
            continue;
        };
        let mut table = BufReader::new(table.take(*left));
        let mut line = String::new();
        while found.len() < sockets.len() && table.read_line(&mut line).is_ok_and(|read| read > 0) {
            found.extend(row(&line).filter(|(inode, _)| sockets.contains_key(inode)));
            line.clear();
        }
        *left = table.get_ref().limit();
    }
    found
}

/// The inode in a row of a table, and the drops. The headline has none, and neither has a row
/// that was cut short.
fn row(line: &str) -> Option<(u64, u32)> {
    /// The column of the inode. The drops have the last one.
    const INODE: usize = 9;
    let mut columns = line.strip_suffix('\n')?.split_ascii_whitespace();
    Some((columns.nth(INODE)?.parse().ok()?, columns.last()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn old(socket: &impl AsFd) -> Watched<'_> {
        Watched { socket: socket.as_fd(), is_old: true }
    }

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
        drops.watch([old(&socket), old(&socket.try_clone().unwrap())]).unwrap();
        assert_eq!(drops.get(), Some(0), "earlier drops do not count");
        // The buffer is full, so all of these are dropped.
        flood(&socket);
        assert_eq!(drops.get(), Some(FLOOD as u64));
    }

    #[test]
    fn all_drops_of_a_new_socket_count() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        flood(&socket);
        let drops = KernelDrops::default();
        drops.watch([Watched { is_old: false, ..old(&socket) }]).unwrap();
        assert!(drops.get().is_some_and(|count| count > 0), "{:?}", drops.get());
    }

    #[test]
    fn a_socket_that_the_system_does_not_list_has_no_count() {
        let drops = KernelDrops::default();
        let pipe = std::io::pipe().unwrap().0;
        drops.watch([old(&pipe)]).unwrap();
        assert_eq!(drops.get(), None);
    }

    #[test]
    fn an_event_loop_reads_only_a_part_of_long_tables() {
        /// More than the part has rows of: one has 128 bytes.
        const SOCKETS: u64 = TABLE_PART / 100;
        common::descriptors::raise_limit();
        let bind = |_| UdpSocket::bind("127.0.0.1:0");
        let Ok(sockets) = (0..SOCKETS).map(bind).collect::<io::Result<Vec<_>>>() else {
            return common::testing::skipped("too few descriptors");
        };
        let drops = KernelDrops::default();
        drops.watch(sockets.iter().map(old)).unwrap();
        assert_eq!((drops.get_soon(), drops.get()), (None, Some(0)));
    }

    #[test]
    fn rows_are_read_as_the_kernel_writes_them() {
        let row4 = " 1081: 00000000:1A0A 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
                    1000        0 51617 2 0000000000000000 4711        \n";
        assert_eq!(row(row4), Some((51617, 4711)));
        assert_eq!(row(row4.trim_end()), None, "the number may go on");
        let headline = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
                        retrnsmt   uid  timeout inode ref pointer drops             \n";
        assert_eq!(row(headline), None);
        assert_eq!(row(""), None);
    }
}
