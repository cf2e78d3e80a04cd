//! Real peers: the tutorial's client in Python, and tools that users have.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use common::testing::{Server, Terminal, peer, python, run_command};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

#[test]
fn the_tutorials_client() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let mut server = Server::start(UDP_SERVER, &["--listen", listen]);
        let ip = server.address().ip().to_string();
        let port = server.address().port().to_string();
        let Some(client) = python("tutorial/udp_client.py", &[&ip, &port]) else {
            return;
        };
        let ended = run_command(client, "hello\n中文\n\n".as_bytes());
        assert_eq!(ended.stdout, "Recvice message ok!\n".repeat(2), "{}", ended.stderr);
        for datagram in ["hello", "中文"] {
            // Between two datagrams "Waiting" is printed only if the server really waits.
            server.wait_for("[*] Received from: ");
            assert_eq!(server.line(), datagram);
        }
    }
}

/// Sends a datagram with `tool`, which ends by itself after the reply.
fn reply_to(tool: Option<Command>, args: &[&str]) {
    let Some(mut command) = tool else {
        return;
    };
    let mut server = Server::start(UDP_SERVER, &["--listen", "127.0.0.1:0"]);
    let port = server.address().port().to_string();
    command.args(args.iter().map(|arg| arg.replace("PORT", &port)));
    let ended = run_command(command, "中文".as_bytes());
    assert_eq!(ended.stdout, "Recvice message ok!", "{}", ended.stderr);
    server.wait_for("Received from");
    assert_eq!(server.line(), "中文");
}

#[test]
fn netcat() {
    reply_to(peer("nc", "nc -h"), &["-u", "-W", "1", "127.0.0.1", "PORT"]);
}

/// On a terminal, as a user has it: at the end of its input it would not wait for a
/// reply.
#[test]
fn ncat() {
    let Some(mut command) = peer("ncat", "ncat --version") else {
        return;
    };
    let mut server = Server::start(UDP_SERVER, &["--listen", "127.0.0.1:0"]);
    command.args(["-u", "127.0.0.1", &server.address().port().to_string()]);
    let mut terminal = Terminal::start(command);
    terminal.press("中文\n");
    terminal.wait_for("Recvice message ok!");
    server.wait_for("Received from");
    assert_eq!(server.line(), r"中文\n");
}

#[test]
fn socat() {
    reply_to(peer("socat", "socat -V"), &["-t", "0.5", "-", "UDP:127.0.0.1:PORT"]);
}
