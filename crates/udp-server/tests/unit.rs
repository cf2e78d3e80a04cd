//! The units for systemd in `packaging`.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{PATIENCE, Server, ServiceManager, Unit};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

#[test]
fn the_units_are_sound_and_start_the_server() {
    let Some(unit) = Unit::verified(UDP_SERVER) else {
        return;
    };
    assert_eq!(unit.wrong, "");
    assert!(unit.options.contains(&"--rate".to_owned()), "a third party could be made to loop");
    let Some((mut command, address)) = ServiceManager::activate(unit.activation, UDP_SERVER) else {
        return;
    };
    // Not quiet, to learn that it listens.
    command.args(unit.options.iter().filter(|option| *option != "--quiet"));
    // Datagrams sent before systemd's tool listens meet a closed port.
    let first = thread::spawn(move || {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let patience = Instant::now() + PATIENCE;
        let mut reply = [0; 64];
        loop {
            let _ = client.send(b"hello");
            if let Ok(len) = client.recv(&mut reply) {
                return String::from_utf8(reply[..len].to_vec()).unwrap();
            }
            assert!(Instant::now() < patience, "nobody listens");
        }
    });
    let server = Server::spawn(command, 1);
    assert_eq!(first.join().unwrap(), "Recvice message ok!");
    assert_eq!(server.stop().0, Some(0));
}
