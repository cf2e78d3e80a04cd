//! What newcomers write, and what they are told.

use common::testing::mistakes::{self, OF_ANY_SERVER};

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

#[test]
fn typical_mistakes_are_answered_with_what_is_right() {
    mistakes::assert_answered(UDP_SERVER, OF_ANY_SERVER);
    mistakes::assert_answered(
        UDP_SERVER,
        &[
            ("-u", "-u: unknown option (udp-server always speaks UDP)"),
            ("--tcp", "--tcp: unknown option (tcp-server speaks TCP)"),
            ("--timeout 5", "--timeout: unknown option (write --idle-exit 5)"),
            ("--rate-limit 5", "--rate-limit: unknown option (write --rate 5)"),
            ("--rate 10/s", "--rate 10/s: not a whole number from 0 to 1000000"),
            ("--rate -1", "--rate -1: not a whole number from 0 to 1000000"),
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
        UDP_SERVER,
        &[
            ("-l 192.0.2.99:tftp", "192.0.2.99:69: cannot assign requested address"),
            (
                "--listen :telnet",
                "--listen :telnet: 'telnet' is neither a port nor a UDP service in /etc/services",
            ),
        ],
    );
}
