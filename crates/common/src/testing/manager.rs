//! A service manager: it receives the notifications of servers, and passes sockets to them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::peers::peer;
use super::reaped::PATIENCE;

/// A socket that servers notify: sd_notify(3).
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl ServiceManager {
    #[must_use]
    pub fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("getthrough-notify-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let socket = UnixDatagram::bind(&path).expect("a socket can be made");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        Self { socket, path }
    }

    /// Makes `command` notify this service manager.
    pub fn supervise(&self, command: &mut Command) {
        command.env("NOTIFY_SOCKET", &self.path);
    }

    /// The next notification.
    #[must_use]
    pub fn notification(&self) -> String {
        let mut text = [0; 256];
        let len = self.socket.recv(&mut text).expect("a notification comes");
        String::from_utf8_lossy(&text[..len]).trim_end().to_owned()
    }

    /// A command that starts `program` with a passed socket, and the address of that socket.
    /// `None` if systemd's tool is missing: then the test is reported as skipped.
    pub fn activate(options: &[&str], program: &str) -> Option<(Command, SocketAddr)> {
        const TOOL: &str = "systemd-socket-activate";
        let mut command = peer(TOOL, "systemd-socket-activate --version")?;
        // The tool does not say which port the system chose, so port 0 is no use.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = free.local_addr().expect("it has an address");
        command.args(options).arg(format!("--listen={address}")).arg(program);
        Some((command, address))
    }
}

impl Drop for ServiceManager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
