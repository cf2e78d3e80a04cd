//! What newcomers write, and what they are told.

use common::testing::mistakes::{self, OF_ANY_CLIENT};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn typical_mistakes_are_answered_with_what_is_right() {
    mistakes::assert_answered(UDP_CLIENT, OF_ANY_CLIENT);
    mistakes::assert_answered(
        UDP_CLIENT,
        &[
            ("-u box", "-u: unknown option (udp-client always speaks UDP)"),
            ("-t box", "-t: unknown option (tcp-client speaks TCP)"),
            ("-N box", "-N: unknown option (over UDP nothing can be closed)"),
            ("--size 65508", "--size 65508: not a whole number from 1 to 65507"),
            ("--size 100", "--size: only with --message or --count"),
            ("-z box", "-z: unknown option (a message is sent, and a reply is the proof)"),
            (
                "--connect",
                "--connect: unknown option (over UDP nothing connects: a reply is the proof)",
            ),
        ],
    );
}

#[test]
fn a_port_may_be_the_name_of_a_service() {
    if !mistakes::knows_services() {
        return;
    }
    // One that the other transport does not have, and one of the other.
    mistakes::assert_answered(
        UDP_CLIENT,
        &[
            (
                "127.0.0.1 tftp --expect unresolved -m x",
                "--expect unresolved: 127.0.0.1:69 has an address, and no name to resolve",
            ),
            (
                "[::1]:tftp --expect unresolved -m x",
                "--expect unresolved: [::1]:69 has an address, and no name to resolve",
            ),
            (
                "127.0.0.1 telnet",
                "telnet: neither a port nor a UDP service in /etc/services (a message goes with --message, in quotes)",
            ),
            (
                "127.0.0.1:telnet",
                "127.0.0.1:telnet: 'telnet' is neither a port nor a UDP service in /etc/services",
            ),
        ],
    );
}
