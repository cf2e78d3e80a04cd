//! Names that do not resolve, with a resolver of the test's own.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use common::testing::{Event, Finished, contained, quiet_command, run_command, skipped};

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

/// What nsswitch.conf(5) says of a resolver that only reads /etc/hosts, and so knows what
/// names there are.
const FILES: &str = "hosts: files";

/// The same of one that asks a name server. There is none: the network of a test has nobody.
const DNS: &str = "hosts: files dns";

/// Whether this machine lets a test have files and a network of its own.
fn may_have_its_own() -> bool {
    let tried =
        Command::new("unshare").args(["--map-root-user", "--mount", "--net", "true"]).output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        skipped("no namespaces of its own (unshare)");
    }
    may
}

/// Runs the client with this resolver.
fn with(resolver: &str, args: &[&str]) -> Finished {
    let script = r#"
        mount -t tmpfs none /mnt
        echo "$0" >/mnt/nsswitch.conf
        echo nameserver 127.0.0.1 >/mnt/resolv.conf
        for file in nsswitch.conf resolv.conf; do mount --bind /mnt/$file /etc/$file; done
        exec "$@"
    "#;
    let mut command = quiet_command("unshare");
    command
        .args(["--map-root-user", "--mount", "--net", "sh", "-ec", script, resolver, TCP_CLIENT])
        .args(args);
    run_command(command, b"")
}

/// The line on standard error.
fn line(ended: &Finished) -> String {
    ended.stderr.replace("tcp-client: nowhere.example:6666: ", "")
}

#[test]
fn a_name_that_does_not_exist_is_told_apart_from_a_resolver_that_does_not_answer() {
    if !may_have_its_own() {
        return;
    }
    for (resolver, cause) in [(FILES, "no-such-name"), (DNS, "no-resolver")] {
        let ended = with(resolver, &["nowhere.example", "--json"]);
        let probe = Event::as_documented(ended.stdout.trim_end(), "tcp-client");
        assert_eq!((probe.text("verdict"), probe.text("cause")), ("unresolved", cause));
        assert_eq!(ended.status, Some(1));
    }
    let unknown = with(FILES, &["nowhere.example"]);
    assert_eq!(line(&unknown), "unresolved (name or service not known)\n");
    let dead = with(DNS, &["nowhere.example"]);
    assert_eq!(line(&dead), "unresolved (no-resolver: temporary failure in name resolution)\n");
}

#[test]
fn a_dead_resolver_does_not_prove_that_there_is_no_such_name() {
    if !may_have_its_own() {
        return;
    }
    let expect = ["nowhere.example", "--expect", "unresolved"];
    let unknown = with(FILES, &expect);
    assert_eq!((unknown.stderr.as_str(), unknown.status), ("", Some(0)));
    let dead = with(DNS, &expect);
    let why = "unresolved (no-resolver: temporary failure in name resolution), \
               which says nothing about the name";
    assert_eq!((line(&dead), dead.status), (format!("{why}\n"), Some(1)));
    let waited = with(DNS, &[&expect[..], &["--wait", "-w", "300ms"]].concat());
    let lines: Vec<_> = waited.stderr.lines().collect();
    assert!(lines[0].ends_with(&format!(": {why}; trying again")), "{waited:?}");
    assert!(lines[1].contains(&format!(": {why}, for ")), "{waited:?}");
    assert_eq!(waited.status, Some(124));
}

/// nsswitch.conf is a pipe that opens when the client reads it, and that nobody writes to. The
/// client is the first process of a container, which another process signals then.
const STUCK: &str = r#"
    mount -t tmpfs none /mnt
    mkfifo /mnt/pipe
    mount --bind /mnt/pipe /etc/nsswitch.conf
    (exec 3>/etc/nsswitch.conf; kill -"$0" 1; sleep 30) </dev/null >/dev/null 2>&1 &
    exec "$@"
"#;

#[test]
fn a_signal_ends_a_client_that_waits_for_its_resolver() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        for args in [&[][..], &["-c", "1"], &["--wait"]] {
            let Some(mut command) = contained("sh") else {
                return;
            };
            command.args(["-ec", STUCK, signal, TCP_CLIENT, "nowhere.example"]).args(args);
            assert_eq!(run_command(command, b"").status, Some(status), "{args:?}");
        }
        // A run has its summary all the same.
        let Some(mut command) = contained("sh") else {
            return;
        };
        command.args(["-ec", STUCK, signal, TCP_CLIENT, "nowhere.example", "-c", "1", "--json"]);
        let ended = run_command(command, b"");
        let summary = Event::as_documented(ended.stdout.trim_end(), "tcp-client");
        assert_eq!((summary.name(), summary.number("sent")), ("summary", 0));
        assert_eq!(ended.status, Some(status));
    }
}

#[test]
fn a_deadline_ends_a_run_that_waits_for_its_resolver_with_its_summary() {
    for quiet in [&[][..], &["-qq"]] {
        let Some(mut command) = contained("sh") else {
            return;
        };
        // Nobody signals the client.
        command.args(["-ec", STUCK, "0", TCP_CLIENT, "nowhere.example"]);
        command.args(["-c", "1", "-w", "200ms", "--json"]).args(quiet);
        let ended = run_command(command, b"");
        let event = |line| Event::as_documented(line, "tcp-client");
        let events: Vec<_> = ended.stdout.lines().map(event).collect();
        assert_eq!(events.len(), 2 - quiet.len(), "{events:?}");
        assert!(events.iter().rev().skip(1).all(|probe| probe.text("cause") == "no-resolver"));
        let summary = events.last().unwrap();
        assert_eq!((summary.name(), summary.number("failed")), ("summary", 1));
        assert_eq!(ended.status, Some(1));
    }
}
