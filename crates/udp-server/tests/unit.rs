//! The units for systemd in `packaging`.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use common::testing::{Server, ServiceManager, Unit};

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
    let first = ServiceManager::first_datagram(address);
    let server = Server::spawn(command, 1);
    assert_eq!(first.join().unwrap(), "Recvice message ok!");
    assert_eq!(server.stop().0, Some(0));
}
