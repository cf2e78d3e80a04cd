//! The units for systemd in `packaging`.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use common::testing::{PATIENCE, Server, ServiceManager, Unit};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

#[test]
fn the_units_are_sound_and_start_the_server() {
    let Some(unit) = Unit::verified(TCP_SERVER) else {
        return;
    };
    assert_eq!(unit.wrong, "");
    let Some((mut command, address)) = ServiceManager::activate(unit.activation, TCP_SERVER) else {
        return;
    };
    // Not quiet, to learn that it listens.
    command.args(unit.options.iter().filter(|option| *option != "--quiet"));
    let first = thread::spawn(move || {
        let patience = Instant::now() + PATIENCE;
        let mut stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(_) => assert!(Instant::now() < patience, "nobody listens"),
            }
            thread::yield_now();
        };
        stream.write_all(b"hello").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    });
    let server = Server::spawn(command, 1);
    assert_eq!(first.join().unwrap(), "ACK!");
    assert_eq!(server.stop().0, Some(0));
}
