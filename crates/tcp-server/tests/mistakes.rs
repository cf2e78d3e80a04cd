//! What newcomers write, and what they are told.

use common::testing::mistakes::{self, OF_ANY_SERVER};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

#[test]
fn typical_mistakes_are_answered_with_what_is_right() {
    mistakes::assert_answered(TCP_SERVER, OF_ANY_SERVER);
    mistakes::assert_answered(
        TCP_SERVER,
        &[
            ("-u", "-u: unknown option (udp-server speaks UDP)"),
            ("-t", "-t: unknown option (tcp-server always speaks TCP)"),
            (
                "-w 5",
                "-w: unknown option (--read-timeout 5 is for a silent peer, --idle-exit 5 for no peers)",
            ),
            ("--max-conns 3", "--max-conns: unknown option (write --max-connections 3)"),
            ("--keepalive", "--keepalive: unknown option (write --conversation)"),
            ("--rate 5", "--rate: unknown option (see --help)"),
            ("--max-connections -1", "--max-connections -1: not a whole number from 1 on"),
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
        TCP_SERVER,
        &[
            ("-l 192.0.2.99:telnet", "192.0.2.99:23: cannot assign requested address"),
            (
                "--listen :tftp",
                "--listen :tftp: 'tftp' is neither a port nor a TCP service in /etc/services",
            ),
        ],
    );
}
