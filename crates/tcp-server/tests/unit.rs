//! The unit for systemd in `packaging`.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use common::testing::{Server, quiet_command, verified_unit};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

#[test]
fn the_unit_is_sound_and_its_options_are_known() {
    let Some((wrong, mut options)) = verified_unit(TCP_SERVER) else {
        return;
    };
    assert_eq!(wrong, "");
    // On another port, and not quiet, to learn that it listens.
    let mut changed = 0;
    options.retain(|option| option != "--quiet");
    for option in &mut options {
        if option == ":6666" {
            ":0".clone_into(option);
            changed += 1;
        }
    }
    assert_eq!(changed, 1);
    let mut command = quiet_command(TCP_SERVER);
    command.args(&options);
    assert_eq!(Server::spawn(command, 1).stop().0, Some(0));
}
