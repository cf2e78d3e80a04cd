//! Where the system lacks what the client can do without.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::process::Command;

use common::testing::{Finished, peer, run_command};

use counterpart::{TCP_CLIENT, answer, reserved, server};

/// Runs the client through `wrapper`.
fn through(mut wrapper: Command, args: &[&str]) -> Finished {
    wrapper.arg(TCP_CLIENT).args(args);
    run_command(wrapper, b"")
}

/// What the client says about a server that answers, and then with `-v`, and about nobody.
fn tried(wrapper: impl Fn() -> Command) -> [Finished; 3] {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let answered = through(wrapper(), &[&address.to_string()]);
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let verbose = through(wrapper(), &[&address.to_string(), "-v"]);
    let (_held, nobody) = reserved();
    [answered, verbose, through(wrapper(), &[&nobody.to_string()])]
}

#[test]
fn over_multipath_tcp_an_icmp_error_has_no_sender() {
    if peer("mptcpize", "mptcpize --help").is_none() {
        return;
    }
    let [answered, verbose, nobody] = tried(|| {
        let mut mptcpize = peer("mptcpize", "mptcpize --help").unwrap();
        mptcpize.arg("run");
        mptcpize
    });
    assert_eq!((answered.stdout.as_str(), answered.stderr.as_str()), ("ACK!\n", ""));
    let missing = "[*] Without IP_RECVERR (operation not supported): \
                   who sent an ICMP error is not known\n";
    assert_eq!(verbose.stderr.matches(missing).count(), 1, "{verbose:?}");
    let refused = ": refused (a reset or an ICMP error came back)\n";
    assert!(nobody.stderr.ends_with(refused), "{nobody:?}");
    assert_eq!(nobody.status, Some(1));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn in_an_emulator_the_kernels_measures_are_missing() {
    if peer("qemu-x86_64", "qemu-x86_64 --version").is_none() {
        return;
    }
    let [answered, verbose, nobody] =
        tried(|| peer("qemu-x86_64", "qemu-x86_64 --version").unwrap());
    assert_eq!((answered.stdout.as_str(), answered.stderr.as_str()), ("ACK!\n", ""));
    assert!(verbose.stderr.contains("[*] Without TCP_INFO ("), "{verbose:?}");
    assert!(nobody.stderr.ends_with(": refused (a reset came back)\n"), "{nobody:?}");
}
