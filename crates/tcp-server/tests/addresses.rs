//! Where the server listens, and its errors about the command line.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use common::testing::{Server, networked, quiet_command, run, run_command};

const TCP_SERVER: &str = env!("CARGO_BIN_EXE_tcp-server");

fn reply_of(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"hello").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    Some(reply)
}

fn is_answered(address: SocketAddr) -> bool {
    reply_of(address).as_deref() == Some("ACK!")
}

#[test]
fn several_addresses_at_once() {
    let mut command = quiet_command(TCP_SERVER);
    command.args(["-l", "127.0.0.1:0", "--listen", "[::1]:0", "-l127.0.0.2:0"]);
    let server = Server::spawn(command, 3);
    for &address in server.listening_on() {
        assert!(is_answered(address), "{address}");
    }
}

#[test]
fn a_port_alone_takes_both_families() {
    let mut server = Server::start(TCP_SERVER, &["--listen", ":0"]);
    let port = server.address().port();
    for ip in ["127.0.0.1", "::1"] {
        assert!(is_answered(SocketAddr::new(ip.parse().unwrap(), port)), "{ip}");
        // An IPv4 peer is shown as such.
        let line = server.wait_for("Accept connection from: ");
        let peer: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(peer.ip().to_string(), ip);
    }
}

#[test]
fn all_ipv4_and_all_ipv6_addresses_can_be_listened_on_separately() {
    let server = Server::start(TCP_SERVER, &["--listen", "0.0.0.0:0"]);
    let port = server.address().port();
    let six = Server::start(TCP_SERVER, &["--listen", &format!("[::]:{port}")]);
    assert!(is_answered(server.address()) && is_answered(six.address()));
}

#[test]
fn a_name_stands_for_all_its_addresses() {
    let server = Server::start(TCP_SERVER, &["--listen", "localhost:0"]);
    assert!(server.address().ip().is_loopback());
    assert!(is_answered(server.address()));
}

#[test]
fn of_a_reply_that_is_given_again_the_last_one_counts() {
    let mut command = quiet_command(TCP_SERVER);
    command.args(["--reply", "a", "-l", "[::1]:0", "--reply", "b", "-l", "127.0.0.1:0"]);
    // Each --listen adds an address.
    let server = Server::spawn(command, 2);
    for &address in server.listening_on() {
        assert_eq!(reply_of(address).unwrap(), "b");
    }
}

#[test]
fn an_invalid_command_line_gives_one_line_and_status_2() {
    let long = "x".repeat(1025);
    for (args, line) in [
        (&["--bogus"][..], "--bogus: unknown option (see --help)"),
        (&["--liste=:0"], "--liste: unknown option (did you mean --listen?)"),
        (&["extra"], "extra: unexpected word (see --help)"),
        (&[""], "'': unexpected word (see --help)"),
        (&["--listen"], "--listen: needs a value"),
        (&["--listen", ""], "--listen '': no host"),
        (&["-l", "7777"], "--listen 7777: not a host (a port alone is written :7777)"),
        (&["-l", "host:99999"], "--listen host:99999: port 99999 is above 65535"),
        (&["-l", "192.0.2.99:0"], "192.0.2.99:0: cannot assign requested address"),
        (&["--stats", "999us"], "--stats 999us: shorter than 1ms"),
        (&["-q", "-v"], "--quiet: cannot be used with --verbose"),
        (
            &["--reply", &long],
            "--reply xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: 1025 bytes long, and the most is 1024",
        ),
        (&["-l", "\x1b[31m"], "--listen \\x1b[31m: not a host name"),
    ] {
        let ended = run(TCP_SERVER, args);
        assert_eq!(ended.stderr, format!("tcp-server: {line}\n"));
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{args:?}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let ended = run(TCP_SERVER, &["--listen", "nobody.invalid:1"]);
    // The rest of the line depends on whether this machine has a name server.
    assert!(ended.stderr.starts_with("tcp-server: nobody.invalid:1: "), "{}", ended.stderr);
    assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(2)));
}

#[test]
fn an_invalid_filter_is_named() {
    let mut command = quiet_command(TCP_SERVER);
    command.env("RUST_LOG", "a/b/c").args(["-l", "127.0.0.1:0"]);
    let ended = common::testing::run_command(command, b"");
    assert_eq!(ended.stderr, "tcp-server: RUST_LOG: not a filter: a/b/c\n");
    assert_eq!(ended.status, Some(2));
}

#[test]
fn help_and_version() {
    let help = run(TCP_SERVER, &["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("--listen <ADDR>"), "{}", help.stdout);
    assert!(help.stdout.lines().all(|line| line.len() <= 100), "{}", help.stdout);
    let version = run(TCP_SERVER, &["-V"]);
    assert_eq!(version.stdout, concat!("tcp-server ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn nobody_can_connect_to_a_group_or_a_broadcast_address() {
    for (address, kind) in [
        ("224.0.0.251:0", "multicast"),
        ("[ff02::1%lo]:0", "multicast"),
        ("255.255.255.255:0", "broadcast"),
        ("127.255.255.255:0", "broadcast"),
    ] {
        let ended = run(TCP_SERVER, &["--listen", address, "--idle-exit", "10ms"]);
        let reason = format!("a {kind} address: nobody can connect to it");
        assert!(ended.stderr.ends_with(&format!(": {reason}\n")), "{address}: {}", ended.stderr);
        assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(2)), "{address}");
    }
}

#[test]
fn nor_to_the_broadcast_address_of_a_machine_without_routes() {
    let args = ["--listen", "255.255.255.255:7000", "--idle-exit", "10ms"];
    let Some(command) = networked("ip link set lo up", TCP_SERVER, &args) else {
        return;
    };
    let ended = run_command(command, b"");
    let reason = "255.255.255.255:7000: a broadcast address: nobody can connect to it";
    assert_eq!(ended.stderr, format!("tcp-server: {reason}\n"));
    assert_eq!(ended.status, Some(2));
}
