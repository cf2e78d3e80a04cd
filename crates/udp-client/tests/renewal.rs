//! A run whose target's address changes (`--resolve-every`).

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use common::testing::hosts::{Hosts, NAME};
use common::testing::{Event, PATIENCE, Running};
use nix::sys::signal::Signal;

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");
const OK: &[u8] = b"Recvice message ok!";

/// Two servers at the same port of 127.0.0.1 and the `second` address. Returns the port, and what says of each that it has
/// answered once more, with the port that it has answered.
fn servers(second: &str) -> (u16, [Receiver<u16>; 2]) {
    let first = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = first.local_addr().unwrap().port();
    let second = UdpSocket::bind((second, port)).unwrap();
    let served = [first, second].map(|socket| {
        let (sender, served) = mpsc::channel();
        thread::spawn(move || {
            loop {
                let (_, peer) = socket.recv_from(&mut [0; 1024]).unwrap();
                // The client may have ended meanwhile.
                let _ = socket.send_to(OK, peer);
                let _ = sender.send(peer.port());
            }
        });
        served
    });
    (port, served)
}

fn wait_for(served: &Receiver<u16>, count: usize) -> Vec<u16> {
    (0..count).map(|_| served.recv_timeout(PATIENCE).unwrap()).collect()
}

/// An endless run of the name, with these options.
fn start(hosts: &Hosts, port: u16, options: &[&str]) -> Running {
    let mut command = hosts.command(UDP_CLIENT);
    command.args([&format!("{NAME}:{port}"), "-c", "0", "-i", "50ms"]).args(options);
    Running::spawn(command, Stdio::null())
}

#[test]
fn a_run_goes_where_its_target_is_now() {
    let free = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port().to_string();
    for (second, options) in [
        ("127.0.0.2", &[][..]),
        ("127.0.0.2", &["--flows", "3"]),
        ("127.0.0.2", &["--source-port", &free]),
        ("::1", &[]),
        ("::1", &["--source-port", &free]),
    ] {
        let (port, served) = servers(second);
        let at = |host: &str| match host {
            "::1" => format!("[::1]:{port}"),
            host => format!("{host}:{port}"),
        };
        let Some(hosts) = Hosts::new(&["127.0.0.1"]) else {
            return;
        };
        let args = [&["--resolve-every", "1s", "--json"], options].concat();
        let client = start(&hosts, port, &args);
        wait_for(&served[0], 3);
        hosts.set(&[second]);
        let ports = wait_for(&served[1], 6);
        client.signal(Signal::SIGINT);
        let ended = client.finish();
        let event = |line| Event::as_documented(line, "udp-client");
        let events: Vec<_> = ended.stdout.lines().map(event).collect();
        let changes: Vec<_> =
            events.iter().filter(|event| event.name() == "address_changed").collect();
        let told = ["target", "from", "to"].map(|field| changes[0].text(field).to_owned());
        let expected = [NAME, "127.0.0.1", second].map(at);
        assert_eq!((changes.len(), told), (1, expected), "{options:?}");
        let change = events.iter().position(|event| event.name() == "address_changed").unwrap();
        for (nth, probe) in events.iter().enumerate().filter(|(_, each)| each.name() == "probe") {
            let address = if nth < change { "127.0.0.1" } else { second };
            assert_eq!(probe.text("address"), at(address), "{options:?}");
            assert_eq!(probe.text("verdict"), "ok", "{probe:?}");
        }
        let summary = events.last().unwrap();
        assert_eq!(summary.text("address"), at(second));
        assert_eq!(summary.number("duplicate") + summary.number("foreign"), 0);
        if options.first() == Some(&"--source-port") {
            assert!(ports.iter().all(|port| port.to_string() == free), "{ports:?}");
        }
        assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)), "{options:?}");
    }
}

#[test]
fn people_have_a_line_about_it_with_q_too() {
    let (port, served) = servers("127.0.0.2");
    let Some(hosts) = Hosts::new(&["127.0.0.1"]) else {
        return;
    };
    let client = start(&hosts, port, &["--resolve-every", "1s", "-q"]);
    wait_for(&served[0], 3);
    hosts.set(&["127.0.0.2"]);
    wait_for(&served[1], 6);
    client.signal(Signal::SIGINT);
    let ended = client.finish();
    let line = format!("{NAME}:{port}: address changed from 127.0.0.1 to 127.0.0.2\n");
    assert!(ended.stdout.starts_with(&line), "{ended:?}");
    assert!(ended.stdout.contains(&format!("--- {NAME}:{port} (127.0.0.2)")), "{ended:?}");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn a_target_that_still_has_its_address_is_not_left() {
    let (port, served) = servers("127.0.0.2");
    let Some(hosts) = Hosts::new(&["127.0.0.1"]) else {
        return;
    };
    let client = start(&hosts, port, &["--resolve-every", "1s", "-w", "2500ms", "-q"]);
    wait_for(&served[0], 3);
    hosts.set(&["127.0.0.2", "127.0.0.1"]);
    let ended = client.finish();
    assert!(!ended.stdout.contains("changed"), "{ended:?}");
    assert_eq!((served[1].try_iter().count(), ended.status), (0, Some(0)));
}

#[test]
fn a_name_that_is_not_asked_for_again_stays_where_it_was() {
    for options in [&["-c", "0", "--resolve-every", "0"][..], &["-c", "40"]] {
        let (port, served) = servers("127.0.0.2");
        let Some(hosts) = Hosts::new(&["127.0.0.1"]) else {
            return;
        };
        let args = [&["-w", "2s", "-q"], options].concat();
        let client = start(&hosts, port, &args);
        wait_for(&served[0], 3);
        hosts.set(&["127.0.0.2"]);
        let ended = client.finish();
        assert_eq!((served[1].try_iter().count(), ended.status), (0, Some(0)), "{options:?}");
    }
}

#[test]
fn a_name_that_no_longer_resolves_changes_nothing_and_is_said_with_v() {
    for (verbose, is_said) in [("-v", true), ("-q", false)] {
        let (port, served) = servers("127.0.0.2");
        let Some(hosts) = Hosts::new(&["127.0.0.1"]) else {
            return;
        };
        let client = start(&hosts, port, &["--resolve-every", "1s", "-w", "2500ms", verbose]);
        wait_for(&served[0], 3);
        hosts.set(&[]);
        let ended = client.finish();
        let why = "[*] Asked for the name again: unresolved (name or service not known)\n";
        assert_eq!(ended.stderr.contains(why), is_said, "{ended:?}");
        // It says where it goes when it goes there, and not each time.
        assert_eq!(ended.stderr.matches("Going to: ").count(), usize::from(is_said));
        assert!(ended.stdout.contains(", 0.0 % lost") && ended.status == Some(0), "{ended:?}");
    }
}
