//! What newcomers write, and what they are told.

use common::testing::mistakes::{self, OF_ANY_CLIENT};

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

#[test]
fn typical_mistakes_are_answered_with_what_is_right() {
    mistakes::assert_answered(TCP_CLIENT, OF_ANY_CLIENT);
    mistakes::assert_answered(
        TCP_CLIENT,
        &[
            ("-u box", "-u: unknown option (udp-client speaks UDP)"),
            ("--tcp box", "--tcp: unknown option (tcp-client always speaks TCP)"),
            ("--size 0", "--size 0: not a whole number from 1 to 67108864"),
            ("-z box 1", "-z: unknown option (write --connect)"),
            ("-vz box 1", "-z: unknown option (write --connect)"),
            ("--shutdown", "--shutdown: unknown option (write --half-close)"),
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
        TCP_CLIENT,
        &[
            (
                "127.0.0.1 telnet --expect unresolved",
                "--expect unresolved: 127.0.0.1:23 has an address, and no name to resolve",
            ),
            (
                "[::1]:telnet --expect unresolved",
                "--expect unresolved: [::1]:23 has an address, and no name to resolve",
            ),
            (
                "127.0.0.1 tftp",
                "tftp: neither a port nor a TCP service in /etc/services (a message goes with --message, in quotes)",
            ),
            (
                "127.0.0.1:tftp",
                "127.0.0.1:tftp: 'tftp' is neither a port nor a TCP service in /etc/services",
            ),
        ],
    );
}
