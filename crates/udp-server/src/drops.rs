//! What the kernel dropped, because a receive buffer was full.
//!
//! It tells in `/proc/net/udp` and `/proc/net/udp6` (proc_net(5)), a line a
//! socket, where the number is the last word; the socket is known by its
//! inode. Read only when the totals are told.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

/// The sockets whose drops are counted, by inode.
#[derive(Debug, Default)]
pub struct KernelDrops(Mutex<Vec<u64>>);

/// Columns of those tables.
const INODE: usize = 9;

impl KernelDrops {
    /// From now on the drops of `socket` count. One that several loops have a
    /// duplicate of counts once.
    pub fn watch(&self, socket: impl AsFd) {
        // Where it cannot be had, its drops are not known.
        if let Ok(inode) = inode(socket) {
            let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !sockets.contains(&inode) {
                sockets.push(inode);
            }
        }
    }

    /// How many datagrams were dropped; `None` where the system does not tell.
    pub fn get(&self) -> Option<u64> {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|path| fs::read_to_string(path).ok());
        if tables.iter().all(Option::is_none) {
            return None;
        }
        Some(tables.iter().flatten().map(|table| in_table(table, &sockets)).sum())
    }
}

fn inode(socket: impl AsFd) -> std::io::Result<u64> {
    let duplicate = File::from(socket.as_fd().try_clone_to_owned()?);
    Ok(duplicate.metadata()?.ino())
}

fn in_table(table: &str, sockets: &[u64]) -> u64 {
    let lines = table.lines().skip(1).map(|line| line.split_ascii_whitespace());
    let drops = lines.filter_map(|mut words| {
        let inode = words.nth(INODE)?.parse().ok()?;
        sockets.contains(&inode).then(|| words.last()?.parse::<u64>().ok())?
    });
    drops.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_of_our_sockets_are_counted() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1002: 0100007F:1A0A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 711 2 0000000000000000 5
 1003: 0100007F:1A0B 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 712 2 0000000000000000 70
 1004: 0100007F:1A0C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 713 2 0000000000000000 900
";
        assert_eq!(in_table(table, &[711, 713]), 905);
        assert_eq!(in_table(table, &[]), 0);
        assert_eq!(in_table("garbage\n1 2 3\n", &[3]), 0);
    }
}
