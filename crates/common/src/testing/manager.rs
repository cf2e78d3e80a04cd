//! A service manager: it receives the notifications of servers, and passes sockets to them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::peers::peer;
use super::reaped::PATIENCE;

/// The first passed descriptor, sd_listen_fds(3).
const FIRST_PASSED: i32 = 3;
/// How far away a descriptor certainly is free.
const ELSEWHERE: i32 = 100;
/// How long a datagram waits for its answer, before the next one is sent.
const TRY: Duration = Duration::from_millis(100);

/// A socket that servers notify: sd_notify(3).
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    /// The value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    name: String,
}

impl ServiceManager {
    /// With a socket that has a path.
    #[must_use]
    pub fn start() -> Self {
        let name = std::env::temp_dir().join(unused_name()).display().to_string();
        Self::listen(UnixDatagram::bind(&name).expect("a socket can be made"), name)
    }

    /// With a socket that has an abstract name.
    #[must_use]
    pub fn start_abstract() -> Self {
        let name = unused_name();
        let address = net::SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket can be made");
        Self::listen(socket, format!("@{name}"))
    }

    fn listen(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        Self { socket, name }
    }

    /// Fills its queue, so that nobody can notify it.
    pub fn fill(&self) {
        loop {
            // What a socket has sent and nobody has read uses up its own buffer, so each
            // datagram has a socket.
            let socket = UnixDatagram::unbound().expect("a socket can be made");
            socket.set_nonblocking(true).expect("it can");
            match socket.send_to(b"FILL=1", &self.name) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Makes `command` notify this service manager.
    pub fn supervise(&self, command: &mut Command) {
        command.env("NOTIFY_SOCKET", &self.name);
    }

    /// The next notification.
    #[must_use]
    pub fn notification(&self) -> String {
        let mut text = [0; 256];
        let len = self.socket.recv(&mut text).expect("a notification comes");
        String::from_utf8_lossy(&text[..len]).trim_end().to_owned()
    }

    /// Whether there is a notification that was not read.
    #[must_use]
    pub fn has_notification(&self) -> bool {
        self.socket.set_nonblocking(true).expect("it can");
        let received = self.socket.recv(&mut [0; 256]);
        self.socket.set_nonblocking(false).expect("it can");
        received.is_ok()
    }

    /// A command that starts `program` with these sockets passed, and with `environment`
    /// (such as `LISTEN_FDS=1`), which may say anything of them. `None` if there is no Bash:
    /// then the test is reported as skipped.
    pub fn pass(
        sockets: &[BorrowedFd<'_>],
        environment: &str,
        program: &str,
        args: &[&str],
    ) -> Option<Command> {
        let mut command = peer("bash", "bash --version")?;
        let mut script = String::new();
        // Elsewhere first, for a socket may itself have the number of another's place.
        for (n, socket) in (FIRST_PASSED..).zip(sockets) {
            SockRef::from(socket).set_cloexec(false).expect("it can be passed on");
            script += &format!("exec {}<&{}; ", n + ELSEWHERE, socket.as_raw_fd());
        }
        let mut free = FIRST_PASSED;
        for _ in sockets {
            script += &format!("exec {free}<&{}; ", free + ELSEWHERE);
            free += 1;
        }
        // Those of other tests, which run at the same time, are not passed.
        script += &format!(
            r#"for fd in /proc/self/fd/*; do fd=${{fd##*/}}; ((fd < {free})) || eval "exec $fd<&-"; done; "#
        );
        script += &format!(r#"export LISTEN_PID=$$ {environment}; exec "$0" "$@""#);
        command.args(["-c", &script, program]).args(args);
        Some(command)
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

    /// Connects, says hello, and reads what comes, for a server that [`ServiceManager::activate`] starts
    /// for whoever comes first. Before systemd's tool listens, connections are refused.
    pub fn first_connection(address: SocketAddr) -> JoinHandle<String> {
        thread::spawn(move || {
            let patience = Instant::now() + PATIENCE;
            let mut stream = loop {
                match TcpStream::connect(address) {
                    Ok(stream) => break stream,
                    Err(_) => assert!(Instant::now() < patience, "nobody listens"),
                }
                thread::yield_now();
            };
            stream.write_all(b"hello").expect("it is connected");
            let mut reply = String::new();
            stream.read_to_string(&mut reply).expect("a reply comes");
            reply
        })
    }

    /// The same over UDP. Datagrams sent before meet a closed port.
    pub fn first_datagram(address: SocketAddr) -> JoinHandle<String> {
        thread::spawn(move || {
            let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
            client.connect(address).expect("an address of this machine");
            client.set_read_timeout(Some(TRY)).expect("a time-out can be set");
            let patience = Instant::now() + PATIENCE;
            let mut reply = [0; 64];
            loop {
                let _ = client.send(b"hello");
                if let Ok(len) = client.recv(&mut reply) {
                    return String::from_utf8_lossy(&reply[..len]).into_owned();
                }
                assert!(Instant::now() < patience, "nobody listens");
            }
        })
    }
}

impl Drop for ServiceManager {
    fn drop(&mut self) {
        // An abstract name is no path.
        let _ = std::fs::remove_file(&self.name);
    }
}

fn unused_name() -> String {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    format!("getthrough-notify-{}-{number}", std::process::id())
}
