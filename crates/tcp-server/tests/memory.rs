//! What the server does without memory.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;

use common::descriptors;
use common::testing::{Reader, Server, quiet_command};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).unwrap()
}

fn reply(stream: &mut TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn without_memory_silent_connections_and_lines_make_room() {
    descriptors::raise_limit();
    let mut command = quiet_command(TCP_SERVER);
    command.args(["--listen", "127.0.0.1:0", "--max-connections", "100000"]);
    let server = Server::spawn_with(command, 1, Reader::Sleeps);
    if !server.limit_memory(512 * 1024) {
        return;
    }
    let silent: Vec<_> = (0..5000).map(|_| connect(&server)).collect();
    for _ in 0..2000 {
        let mut speaking = connect(&server);
        speaking.write_all(&[b'x'; 1000]).unwrap();
        assert_eq!(reply(&mut speaking), "ACK!");
    }
    let (oldest, newest) = (&mut { &silent[0] }, &mut { &silent[4999] });
    assert_eq!(oldest.read(&mut [0; 4]).unwrap(), 0, "evicted");
    newest.write_all(b"hello").unwrap();
    let mut text = String::new();
    newest.read_to_string(&mut text).unwrap();
    assert_eq!(text, "ACK!");
    assert_eq!(server.stop().0, Some(0));
}
