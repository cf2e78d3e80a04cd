//! Real peers: the tutorial's server in Python, and the tools that users have.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::testing::{PATIENCE, Server, peer, python, run, run_command, run_with_input};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn the_tutorials_server_answers_and_the_tutorials_client_prints_the_same() {
    let input = "hello\n中文\n\nnever sent\n".as_bytes();
    for host in ["127.0.0.1", "::1"] {
        let Some(server) = python("tutorial/udp_server.py", &[host, "0"]) else {
            return;
        };
        let mut server = Server::spawn(server, 1);
        let port = server.address().port().to_string();
        let ours = run_with_input(UDP_CLIENT, &[host, &port], input);
        for datagram in ["hello", "中文"] {
            assert_eq!(server.line(), "[*] Waiting for message...");
            assert!(server.line().starts_with("[*] Received from: "));
            assert_eq!(server.line(), datagram);
        }
        let Some(client) = python("tutorial/udp_client.py", &[host, &port]) else {
            return;
        };
        let theirs = run_command(client, input);
        assert_eq!(ours.stdout, "Recvice message ok!\n".repeat(2));
        assert_eq!(ours, theirs);
    }
}

/// Starts `tool` as a server that answers datagrams with "pong", and expects that reply.
fn expect_pong(tool: Option<Command>, args: &[&str]) {
    let Some(mut command) = tool else {
        return;
    };
    // These tools do not say where they listen. So they are given a port that was free a
    // moment ago, and the client tries until they answer.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    command.args(args.iter().map(|arg| arg.replace("PORT", &port.to_string())));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Server::spawn(command, 0);
    let patience = Instant::now() + PATIENCE;
    loop {
        let ended = run(UDP_CLIENT, &["127.0.0.1", &port.to_string(), "-m", "ping", "-W", "500ms"]);
        if ended.stdout == "pong\n" {
            return;
        }
        // The tool does not listen yet, or is busy with an earlier datagram.
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        assert!(Instant::now() < patience, "the tool does not listen");
    }
}

#[test]
fn ncat() {
    let args = ["-u", "-l", "127.0.0.1", "PORT", "--sh-exec", "printf pong"];
    expect_pong(peer("ncat", "ncat --version"), &args);
}

#[test]
fn socat() {
    let args = ["UDP-LISTEN:PORT,bind=127.0.0.1,fork", "SYSTEM:head -c 1 >/dev/null; printf pong"];
    expect_pong(peer("socat", "socat -V"), &args);
}
