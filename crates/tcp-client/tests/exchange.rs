//! What the client sends and prints, and the options for that.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod counterpart;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::Shutdown;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;

use common::testing::{Event, Finished, Terminal, quiet_command, run, run_with_input};

use counterpart::{TCP_CLIENT, answer, assert_failed, client, reserved, server};

#[test]
fn the_tutorials_exchange() {
    let (address, served) = server("127.0.0.1:0", answer(b"ACK!"));
    let ended = client(address, &[]);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ACK!\n", ""));
    assert_eq!(ended.status, Some(0));
    assert_eq!(served.join().unwrap().0, b"hehe, just for a test!");
}

#[test]
fn host_and_port_as_two_words_and_ipv6() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let (address, _) = server(bind, answer(b"ACK!"));
        let words = [address.ip().to_string(), address.port().to_string()];
        assert_eq!(run(TCP_CLIENT, &words).stdout, "ACK!\n", "{words:?}");
    }
}

#[test]
fn a_name_is_tried_address_by_address() {
    // `localhost` is often ::1 first, and nobody listens there.
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let target = format!("localhost:{}", address.port());
    assert_eq!(run(TCP_CLIENT, &[target]).stdout, "ACK!\n");
}

#[test]
fn a_message_byte_for_byte() {
    let bytes = b"\xff\x1b\n";
    let (address, served) = server("127.0.0.1:0", answer(b"ACK!"));
    let args = ["-m".into(), OsString::from_vec(bytes.to_vec()), address.to_string().into()];
    assert_eq!(run(TCP_CLIENT, &args).stdout, "ACK!\n");
    assert_eq!(served.join().unwrap().0, bytes);

    let (address, served) = server("127.0.0.1:0", answer(b"ACK!"));
    let args = ["--message=-", &address.to_string()];
    assert_eq!(run_with_input(TCP_CLIENT, &args, bytes).stdout, "ACK!\n");
    assert_eq!(served.join().unwrap().0, bytes);

    let (address, served) = server("127.0.0.1:0", answer(b"ACK!"));
    assert_eq!(client(address, &["-m", "-v"]).stdout, "ACK!\n");
    assert_eq!(served.join().unwrap().0, b"-v");
}

/// What the client prints whose server replies with `len` bytes, and then ends its side.
fn reply_of(len: usize, args: &[&str]) -> Finished {
    let (address, _) = server("127.0.0.1:0", move |mut stream| {
        stream.read_exact(&mut [0; 1]).unwrap();
        // A client that has read enough closes the connection.
        let _ = stream.write_all(&vec![b'x'; len]);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    client(address, args)
}

#[test]
fn a_long_reply_is_read_to_its_end_or_to_a_limit() {
    let ended = reply_of(100_000, &[]);
    assert_eq!((ended.stdout, ended.stderr.as_str()), ("x".repeat(100_000) + "\n", ""));
    let limit = 1024 * 1024;
    let ended = reply_of(limit + 1, &[]);
    let line = ": longer than 1048576 bytes: the rest was not read\n";
    assert_eq!((ended.stdout.len(), ended.status), (limit + 1, Some(0)));
    assert!(ended.stderr.ends_with(line), "{}", ended.stderr);
    // In JSON, bytes and complete say so.
    let sizes = |len, args: &[&str]| {
        let ended = reply_of(len, &[&["--json"], args].concat());
        let probe = Event::as_documented(ended.stdout.lines().next().unwrap(), "tcp-client");
        assert_eq!((probe.text("verdict"), ended.stderr.as_str()), ("ok", ""));
        (probe.number("bytes"), probe.truth("complete"))
    };
    assert_eq!(sizes(limit, &[]), (limit as u64, Some(true)));
    assert_eq!(sizes(limit + 1, &[]), (limit as u64, Some(false)));
    assert_eq!(sizes(65_537, &["-c", "1"]), (65_536, Some(false)));
    let ended = reply_of(5_000, &["--expect-reply", &"x".repeat(1024)]);
    assert!(ended.stderr.contains(": wrong-reply ("), "{ended:?}");
}

#[test]
fn a_peer_that_does_not_end_its_side_is_not_waited_for() {
    for (option, verdict) in [("--expect-reply=ACK!", "ok"), ("--expect-reply=ACK", "wrong-reply")]
    {
        let (address, served) = server("127.0.0.1:0", |mut stream| {
            stream.read_exact(&mut [0; 1]).unwrap();
            stream.write_all(b"ACK!").unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let ended = client(address, &["--json", "-W", "60s", option]);
        let probe = Event::as_documented(&ended.stdout, "tcp-client");
        assert_eq!((probe.text("verdict"), probe.truth("complete")), (verdict, None));
        served.join().unwrap();
    }
}

#[test]
fn a_reply_is_raw_in_a_pipe_and_safe_on_a_terminal() {
    let reply = b"\x1b[31m\xff \xe4\xb8\xad";
    let (address, _) = server("127.0.0.1:0", answer(reply));
    let ended = client(address, &[]);
    assert_eq!(ended.stdout_bytes, [reply, &b"\n"[..]].concat());

    let (address, _) = server("127.0.0.1:0", answer(reply));
    let mut command = quiet_command(TCP_CLIENT);
    command.arg(address.to_string());
    let (status, screen) = Terminal::start(command).finish();
    assert_eq!((status, screen.as_str()), (Some(0), "\\x1b[31m\\xff 中\r\n"));
}

#[test]
fn a_reply_on_a_terminal_does_not_look_like_a_line_of_ours() {
    for (reply, shown) in [
        ("tcp-client: box:6666: refused", r"\x74cp-client: box:6666: refused"),
        ("[*] Going to: box", r"\x5b*] Going to: box"),
        ("> hello", r"\x3e hello"),
        ("[1, 2]", "[1, 2]"),
    ] {
        let (address, _) = server("127.0.0.1:0", answer(reply.as_bytes()));
        let mut command = quiet_command(TCP_CLIENT);
        command.arg(address.to_string());
        assert_eq!(Terminal::start(command).finish(), (Some(0), format!("{shown}\r\n")));
    }
}

#[test]
fn from_the_address_and_port_asked_for() {
    let (address, served) = server("127.0.0.1:0", answer(b"ACK!"));
    assert_eq!(client(address, &["--source", "127.0.0.9"]).status, Some(0));
    assert_eq!(served.join().unwrap().1.ip().to_string(), "127.0.0.9");

    let (_held, held) = reserved();
    let port = held.port();
    let (address, served) = server("127.0.0.1:0", answer(b"ACK!"));
    assert_eq!(client(address, &["--source-port", &port.to_string()]).status, Some(0));
    assert_eq!(served.join().unwrap().1.port(), port);
}

#[test]
fn the_family_asked_for() {
    let (address, _) = server("[::1]:0", answer(b"ACK!"));
    let target = format!("localhost:{}", address.port());
    assert_failed(
        &run(TCP_CLIENT, &["-4", &target]),
        1,
        &format!("{target}: 127.0.0.1: refused (a reset came back)"),
    );
    assert_eq!(run(TCP_CLIENT, &["-6", &format!(":{}", address.port())]).stdout, "ACK!\n");
    assert_failed(&run(TCP_CLIENT, &["-4", "::1"]), 2, "[::1]:6666: no IPv4 address");
}

#[test]
fn quiet_verbose_and_timestamps() {
    let run = |args: &[&str]| {
        let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
        let ended = client(address, args);
        assert_eq!(ended.status, Some(0));
        (ended.stdout, ended.stderr)
    };
    assert_eq!(run(&["-q"]), (String::new(), String::new()));
    let (stdout, stderr) = run(&["-v"]);
    assert_eq!(stdout, "ACK!\n");
    assert!(stderr.contains("[*] Connecting to: 127.0.0.1:"), "{stderr}");
    let (stdout, _) = run(&["-D"]);
    let (time, reply) = stdout.split_once(' ').unwrap();
    assert_eq!((time.len(), reply), ("2026-01-01T00:00:00.000Z".len(), "ACK!\n"));
    // With -qq only the exit status says that the exchange failed.
    let (_held, address) = reserved();
    let ended = client(address, &["-qq"]);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(1)));
}

#[test]
fn standard_output_that_takes_no_more_is_status_1() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let mut command = quiet_command(TCP_CLIENT);
    command.arg(address.to_string()).stderr(Stdio::piped());
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    let line = "tcp-client: standard output: no space left on device\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), line);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_reader_that_has_gone_knows() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let mut command = quiet_command(TCP_CLIENT);
    let (_, gone) = pipe().unwrap();
    let output = command.arg(address.to_string()).stdout(gone).output().unwrap();
    assert_eq!((output.stderr.as_slice(), output.status.code()), (&b""[..], Some(1)));
}

#[test]
fn a_half_close_ends_the_message() {
    for (args, message) in [(&["-N"][..], "hehe, just for a test!"), (&["-N", "-m", ""], "")] {
        let (address, served) = server("127.0.0.1:0", |mut stream| {
            // Reads to the end, which comes only if the client ends its side.
            let mut message = String::new();
            stream.read_to_string(&mut message).unwrap();
            stream.write_all(b"ACK!").unwrap();
            message
        });
        assert_eq!(client(address, args).stdout, "ACK!\n");
        assert_eq!(served.join().unwrap(), message);
    }
}

#[test]
fn a_command_line_that_cannot_be_followed_gives_one_line_and_status_2() {
    for (args, line) in [
        (&["--bogus"][..], "--bogus: unknown option (see --help)"),
        (&["127.0.0.1", "70000"], "70000: port 70000 is above 65535"),
        (&["127.0.0.1:1", "2"], "2: 127.0.0.1:1 has a port already"),
        (&["127.0.0.1:0"], "127.0.0.1:0: nobody can be reached at port 0"),
        (&["255.255.255.255"], "255.255.255.255:6666: not the address of one machine"),
        (
            &["127.255.255.255"],
            "127.255.255.255:6666: local (a broadcast address, and not that of one machine)",
        ),
        (&["fe80::1"], "fe80::1: on which interface? it is written fe80::1%eth0"),
        (&["[fe80::1%nosuch]:1"], "[fe80::1%nosuch]:1: no such interface, or no need of one"),
        (
            &["-m", ""],
            "--message: empty: there is nothing to send, unless --half-close sends the end",
        ),
        (&["010.0.0.1"], "010.0.0.1: not an IPv4 address"),
        (
            &["-s", "127.0.0.1", "192.0.2.77"],
            "192.0.2.77:6666: local (cannot be reached from 127.0.0.1)",
        ),
        (&[""], "'': no host"),
        (&["--verbose=3"], "--verbose: takes no value"),
        (&["7777"], "7777: not a host (a port alone is written :7777)"),
        (&["http://x/"], "http://x/: a URL is no address: write HOST:PORT"),
        (&["--wait", "-c", "1"], "--wait: cannot be used with --count"),
        (&["-W", "0"], "--timeout 0: shorter than 1us"),
        (
            &["-W", "soon"],
            "--timeout soon: not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h",
        ),
        (
            &["-s", "192.0.2.99"],
            "127.0.0.1:6666: local (cannot send from 192.0.2.99: cannot assign requested address)",
        ),
        (&["-s", "::1", "127.0.0.1"], "127.0.0.1:6666: not of the source address's family"),
    ] {
        assert_failed(&run(TCP_CLIENT, args), 2, line);
    }
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let ended = run(TCP_CLIENT, &["nobody.invalid", "7000"]);
    // The rest of the line depends on whether there is a name server at all.
    assert!(ended.stderr.starts_with("tcp-client: nobody.invalid:7000: "), "{}", ended.stderr);
    assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(1)));
}

#[test]
fn of_an_option_that_is_given_again_the_last_one_counts() {
    let (_held, address) = reserved();
    let target = address.to_string();
    let alias = ["-6", "-W", "9s", "-m", "", "--expect", "ok", "-D", "-J"];
    let over = ["-4", "-W", "5s", "-m", "x", "--expect", "refused", "-D", "-J", &target];
    let ended = run(TCP_CLIENT, &[&alias[..], &over].concat());
    assert_eq!(Event::parse(&ended.stdout).text("verdict"), "refused");
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    // These two count how often they are given.
    assert_eq!(run(TCP_CLIENT, &["-q", "-q", &target]).stderr, "");
}

#[test]
fn help_and_version() {
    let help = run(TCP_CLIENT, &["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.lines().all(|line| line.len() <= 100), "{}", help.stdout);
    let version = run(TCP_CLIENT, &["-V"]);
    assert_eq!(version.stdout, concat!("tcp-client ", env!("CARGO_PKG_VERSION"), "\n"));
}
