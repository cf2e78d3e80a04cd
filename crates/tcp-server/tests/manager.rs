//! How the service manager is notified.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use common::testing::{Event, Server, ServiceManager, quiet_command};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn command(args: &[&str]) -> Command {
    let mut command = quiet_command(TCP_SERVER);
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    command
}

fn assert_answered(server: &Server) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "ACK!");
}

#[test]
fn the_service_manager_is_notified() {
    for manager in [ServiceManager::start(), ServiceManager::start_abstract()] {
        let mut command = command(&[]);
        manager.supervise(&mut command);
        let server = Server::spawn(command, 1);
        assert_eq!(manager.notification(), "READY=1");
        assert_answered(&server);
        assert_eq!(server.stop().0, Some(0));
        assert_eq!(manager.notification(), "STOPPING=1");
    }
}

#[test]
fn a_service_manager_that_does_not_read_holds_up_nobody() {
    let manager = ServiceManager::start();
    manager.fill();
    let mut command = command(&[]);
    manager.supervise(&mut command);
    let mut server = Server::spawn(command, 1);
    server.wait_for("[!] Cannot tell the service manager: its queue is full");
    assert_answered(&server);
    let (status, lines) = server.stop();
    assert_eq!(status, Some(0));
    assert!(lines.last().unwrap().starts_with("[*] Stopped: "), "{lines:?}");
}

#[test]
fn a_service_manager_that_cannot_be_notified_costs_a_warning() {
    for (name, reason) in [
        ("/nowhere/notify", "no such file or directory"),
        ("/dev/null", "connection refused"),
        ("notify", "no such file or directory"),
        ("@getthrough-nobody-is-here", "connection refused"),
        ("@", "connection refused"),
        ("vsock:2:1234", "a vsock address, which is not supported"),
        (&"/x".repeat(100), "path must be shorter than SUN_LEN"),
    ] {
        let mut command = command(&["--json"]);
        command.env("NOTIFY_SOCKET", name);
        let mut server = Server::spawn(command, 1);
        let warning: Event = server.wait_for_event("cannot_notify");
        assert_eq!(warning.text("reason"), reason, "{name}");
        assert_answered(&server);
        assert_eq!(server.stop().0, Some(0));
    }
    let mut command = command(&[]);
    command.env("NOTIFY_SOCKET", "");
    let (status, lines) = Server::spawn(command, 1).stop();
    assert_eq!((status, lines.len()), (Some(0), 1), "{lines:?}");
}
