//! A run whose target's address changes (`--resolve-every`).

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use common::testing::hosts::{Hosts, NAME};
use common::testing::{Event, PATIENCE, Running, quiet_command};
use nix::sys::signal::Signal;

use counterpart::TCP_CLIENT;

/// Answers all connections to this address and port. Returns the port, and what says that one more
/// was answered.
fn server(address: &str, port: u16) -> (u16, Receiver<()>) {
    let listener = TcpListener::bind((address, port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, served) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The client may have ended meanwhile.
            let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(b"ACK!"));
            let _ = sender.send(());
        }
    });
    (port, served)
}

fn wait_for(served: &Receiver<()>, count: usize) {
    (0..count).for_each(|_| served.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn a_run_goes_where_its_target_is_now() {
    for (moved, options) in [
        ("127.0.0.2", &["-i", "50ms"][..]),
        ("127.0.0.2", &["-i", "50ms", "--flows", "2"]),
        ("127.0.0.2", &["-i", "0"]),
        ("::1", &["-i", "50ms", "--flows", "2"]),
    ] {
        let (port, first) = server("127.0.0.1", 0);
        let (_, second) = server(moved, port);
        // One of several addresses has won. Then the name has others.
        let Some(hosts) = Hosts::new(&["127.0.0.1", "127.0.0.3"]) else {
            return;
        };
        let mut command = hosts.command(TCP_CLIENT);
        command.args([&format!("{NAME}:{port}"), "-c", "0", "--resolve-every", "1s", "--json"]);
        let client = Running::spawn(
            {
                command.args(options);
                command
            },
            Stdio::null(),
        );
        wait_for(&first, 3);
        hosts.set(&[moved]);
        wait_for(&second, 3);
        client.signal(Signal::SIGINT);
        let ended = client.finish();
        let event = |line| Event::as_documented(line, "tcp-client");
        let events: Vec<_> = ended.stdout.lines().map(event).collect();
        let changes: Vec<_> =
            events.iter().filter(|event| event.name() == "address_changed").collect();
        let told = ["target", "from", "to"].map(|field| changes[0].text(field).to_owned());
        let moved = if moved.contains(':') { format!("[{moved}]") } else { moved.to_owned() };
        let expected = [NAME, "127.0.0.1", &moved].map(|host| format!("{host}:{port}"));
        assert_eq!((changes.len(), told), (1, expected), "{options:?}");
        let summary = events.last().unwrap();
        assert_eq!(summary.text("address"), format!("{moved}:{port}"));
        assert_eq!(summary.number("ok"), summary.number("sent"), "{summary:?}");
        assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)), "{options:?}");
    }
}

/// Puts a pipe in the place of nsswitch.conf. Who opens it waits until somebody writes to it.
const STUCK: &str = "mkfifo /mnt/pipe; mount --bind /mnt/pipe /etc/nsswitch.conf";

#[test]
fn a_resolver_that_does_not_answer_does_not_hold_up_the_run() {
    let Some(hosts) = Hosts::new(&["127.0.0.1"]) else {
        return;
    };
    let (port, served) = server("127.0.0.1", 0);
    let mut command = hosts.command(TCP_CLIENT);
    command.args([&format!("{NAME}:{port}"), "-c", "0", "-i", "20ms", "-q"]);
    command.args(["--resolve-every", "1s"]);
    let client = Running::spawn(command, Stdio::null());
    wait_for(&served, 1);
    let mut stuck = quiet_command("nsenter");
    stuck.args(["--preserve-credentials", "--user", "--mount", "--target"]);
    stuck.args([&client.id().to_string(), "sh", "-ec", STUCK]);
    assert!(stuck.status().unwrap().success());
    // So many probes come in 2 s, in which the name is asked for again. There is no answer then.
    wait_for(&served, 100);
    let tasks = fs::read_dir(format!("/proc/{}/task", client.id())).unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    let is_asking = names.into_iter().any(|name| name == "resolver\n");
    client.signal(Signal::SIGINT);
    let ended = client.finish();
    assert!(is_asking && ended.stdout.contains(", 0.0 % lost"), "{is_asking} {ended:?}");
    assert!(!ended.stdout.contains(" skipped"), "{ended:?}");
    assert_eq!(ended.status, Some(0));
}
