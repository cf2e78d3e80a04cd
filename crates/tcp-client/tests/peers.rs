//! Real peers: the tutorial's server in Python, and the tools that users have.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::testing::{PATIENCE, Server, peer, python, run, run_command};

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

#[test]
fn the_tutorials_server_answers_and_the_tutorials_client_prints_the_same() {
    for host in ["127.0.0.1", "::1"] {
        let Some(server) = python("tutorial/tcp_server.py", &[host, "0"]) else {
            return;
        };
        let mut server = Server::spawn(server, 1);
        let port = server.address().port().to_string();
        let ours = run(TCP_CLIENT, &[host, &port]);
        assert!(server.line().starts_with("[*] Accept connection from: "));
        assert_eq!(server.line(), "[*] Received: hehe, just for a test!");
        let Some(client) = python("tutorial/tcp_client.py", &[host, &port]) else {
            return;
        };
        let theirs = run_command(client, b"");
        assert_eq!(ours.stdout, "ACK!\n");
        assert_eq!(ours, theirs);
    }
}

/// Starts `tool` as a server that answers one connection with "pong", and expects that reply.
/// If the tool runs a command for the reply, the command reads the message first: some tools
/// fail if it does not.
fn expect_pong(tool: Option<Command>, args: &[&str]) {
    let Some(mut command) = tool else {
        return;
    };
    // These tools do not say where they listen. So they are given a port that was free a
    // moment ago, and the client tries until they answer.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    command.args(args.iter().map(|arg| arg.replace("PORT", &port.to_string())));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Server::spawn(command, 0);
    let patience = Instant::now() + PATIENCE;
    loop {
        let ended = run(TCP_CLIENT, &["127.0.0.1", &port.to_string()]);
        if ended.stdout == "pong\n" {
            return;
        }
        assert!(ended.stderr.contains(": refused ("), "{}", ended.stderr);
        assert!(Instant::now() < patience, "the tool does not listen");
    }
}

#[test]
fn netcat() {
    let script = "printf pong | nc -N -l 127.0.0.1 PORT";
    expect_pong(peer("nc", "nc -h").and_then(|_| peer("sh", "true")), &["-c", script]);
}

#[test]
fn ncat() {
    let args = ["-l", "127.0.0.1", "PORT", "--sh-exec", "head -c 1 >/dev/null; printf pong"];
    expect_pong(peer("ncat", "ncat --version"), &args);
}

#[test]
fn socat() {
    let args = ["TCP-LISTEN:PORT,bind=127.0.0.1", "SYSTEM:head -c 1 >/dev/null; printf pong"];
    expect_pong(peer("socat", "socat -V"), &args);
}
