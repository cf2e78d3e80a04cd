//! Real peers: the tutorial's client in Python, and tools that users have.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use common::testing::{Server, peer, python, run_command};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

#[test]
fn the_tutorials_client() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let mut server = Server::start(TCP_SERVER, &["--listen", listen]);
        let ip = server.address().ip().to_string();
        let port = server.address().port().to_string();
        let Some(client) = python("tutorial/tcp_client.py", &[&ip, &port]) else {
            return;
        };
        let ended = run_command(client, b"");
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ACK!\n", ""));
        assert!(server.line().starts_with("[*] Accept connection from: "));
        assert_eq!(server.line(), "[*] Received: hehe, just for a test!");
    }
}

/// A TCP exchange has eight segments: SYN, SYN with ACK, ACK; the message, its ACK;
/// reply and FIN in one; FIN, ACK. The client receives four of these, three of them
/// before it sees the end.
#[test]
fn reply_and_end_share_a_segment() {
    let server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"]);
    let port = server.address().port().to_string();
    let Some(client) = python("python/lab/segments.py", &["127.0.0.1", &port]) else {
        return;
    };
    assert_eq!(run_command(client, b"").stdout, "3 segments in\n");
}

/// Sends `message` with `tool`, which must print the server's reply.
fn reply_to(tool: Option<Command>, args: &[&str], message: &[u8]) {
    let Some(mut command) = tool else {
        return;
    };
    let mut server = Server::start(TCP_SERVER, &["--listen", "127.0.0.1:0"]);
    let port = server.address().port().to_string();
    command.args(args.iter().map(|arg| arg.replace("PORT", &port)));
    let ended = run_command(command, message);
    assert_eq!((ended.stdout.as_str(), ended.status), ("ACK!", Some(0)), "{}", ended.stderr);
    assert_eq!(server.wait_for("Received"), "[*] Received: 中文");
}

#[test]
fn netcat() {
    reply_to(peer("nc", "nc -h"), &["-N", "127.0.0.1", "PORT"], "中文".as_bytes());
}

#[test]
fn ncat() {
    reply_to(peer("ncat", "ncat --version"), &["127.0.0.1", "PORT"], "中文".as_bytes());
}

#[test]
fn socat() {
    reply_to(peer("socat", "socat -V"), &["-", "TCP:127.0.0.1:PORT"], "中文".as_bytes());
}
