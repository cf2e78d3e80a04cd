//! A name of the test's own, whose address may change while a program runs.

use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::peers::{quiet_command, skipped};

/// The name.
pub const NAME: &str = "box.example";

/// What stands for /etc/hosts in the programs that the test starts. It is removed with this value.
#[derive(Debug)]
pub struct Hosts(PathBuf);

impl Hosts {
    /// A file in which [`NAME`] has these addresses. `None` if this machine lets a test have no files
    /// of its own: then the test is reported as skipped.
    #[must_use]
    pub fn new(addresses: &[&str]) -> Option<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("getthrough-hosts-{}-{number}", process::id());
        let hosts = Self(std::env::temp_dir().join(name));
        hosts.set(addresses);
        let tried = hosts.command("true").output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            skipped("no files of its own (unshare)");
            return None;
        }
        Some(hosts)
    }

    /// The name has these addresses from now on. None: there is no such name.
    pub fn set(&self, addresses: &[&str]) {
        let lines = addresses.iter().map(|address| format!("{address} {NAME}\n"));
        fs::write(&self.0, lines.collect::<String>()).expect("the file can be written");
    }

    /// A command that runs `program` with this file.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let script = r#"
            mount -t tmpfs none /mnt
            echo hosts: files >/mnt/nsswitch.conf
            mount --bind "$0" /etc/hosts
            mount --bind /mnt/nsswitch.conf /etc/nsswitch.conf
            exec "$@"
        "#;
        let mut command = quiet_command("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-ec", script]);
        command.arg(&self.0).arg(program);
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
