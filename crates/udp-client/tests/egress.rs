//! How what is sent leaves this machine: `--interface`.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;

use common::testing::run;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

#[test]
fn an_interface_is_gone_by_and_without_it_nothing_is_sent() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = UdpSocket::bind(address).unwrap();
        let address = server.local_addr().unwrap().to_string();
        let asked = thread::spawn(move || {
            let (len, peer) = server.recv_from(&mut [0; 64]).unwrap();
            server.send_to(b"ok", peer).unwrap();
            len
        });
        let missing = run(UDP_CLIENT, &[&address, "-m", "no", "--interface", "nosuch"]);
        let words = format!("{address}: local (cannot use interface nosuch: no such device)");
        assert_eq!(missing.stderr, format!("udp-client: {words}\n"));
        assert_eq!((missing.status, missing.stdout.as_str()), (Some(2), ""));
        let answered = run(UDP_CLIENT, &[&address, "-m", "hello", "--interface", "lo"]);
        assert_eq!((answered.status, answered.stdout.as_str()), (Some(0), "ok\n"));
        assert_eq!(asked.join().unwrap(), 5, "nothing has come but the second one's");
    }
}
