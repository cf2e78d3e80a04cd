//! Notifies the service manager (`Type=notify`), as sd_notify(3) does. Does nothing
//! unless `NOTIFY_SOCKET` is in the environment.

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::exit::reason;

/// How long `READY=1` may wait for room in the service manager's queue. Nobody is served
/// meanwhile, and a manager that does not read for so long is in trouble itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Notifies that the server listens.
pub fn ready() {
    notify("READY=1", |socket| socket.set_write_timeout(Some(PATIENCE)));
}

/// Notifies that the server has been asked to stop and finishes what is under way. An event
/// loop may make this call, so it does not wait. Nothing depends on this notification.
pub fn stopping() {
    notify("STOPPING=1", |socket| socket.set_nonblocking(true));
}

fn notify(state: &str, limit: impl FnOnce(&UnixDatagram) -> io::Result<()>) {
    let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    let send = || {
        let socket = UnixDatagram::unbound()?;
        limit(&socket)?;
        socket.send_to_addr(state.as_bytes(), &address(&name)?)
    };
    if let Err(error) = send() {
        let reason = match error.kind() {
            ErrorKind::WouldBlock => "its queue is full".to_owned(),
            _ => reason(&error),
        };
        log::warn!(
            event = "cannot_notify", reason = reason.as_str();
            "[!] Cannot tell the service manager: {reason}"
        );
    }
}

/// The address that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name, unix(7).
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        // Of a virtual machine's service manager, vsock(7): `vsock:CID:PORT` and others.
        name if name.starts_with(b"vsock") && name.contains(&b':') => {
            Err(io::Error::new(ErrorKind::Unsupported, "a vsock address, which is not supported"))
        }
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_or_abstract() {
        let address = |name: &str| address(OsStr::new(name));
        assert_eq!(
            address("/run/notify").unwrap().as_pathname().unwrap().to_str(),
            Some("/run/notify")
        );
        assert!(address("run/vsock:").unwrap().as_pathname().is_some());
        assert_eq!(address("@a/b").unwrap().as_abstract_name(), Some(&b"a/b"[..]));
        let long = "x".repeat(200);
        for refused in ["vsock:2:1234", "vsock-stream:2:1", &long, &format!("@{long}")] {
            assert!(address(refused).is_err(), "{refused}");
        }
    }
}
