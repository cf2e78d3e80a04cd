//! What the client sends and prints, with its prompt and without, and its exit status.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use common::testing::{Event, Finished, Terminal, quiet_command, run, run_with_input};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

/// The datagrams that a server received, each with its sender.
type Received = Vec<(SocketAddr, Vec<u8>)>;

/// Serves datagrams with `serve`, until `serve` returns false. Returns the bound address, and
/// a thread that ends with what was received.
fn server(
    bind: &str,
    mut serve: impl FnMut(&UdpSocket, &[u8], SocketAddr) -> bool + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<Received>) {
    let socket = UdpSocket::bind(bind).unwrap();
    let address = socket.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let mut received = Vec::new();
        loop {
            let mut datagram = vec![0; 65536];
            let (len, peer) = socket.recv_from(&mut datagram).unwrap();
            datagram.truncate(len);
            let more = serve(&socket, &datagram, peer);
            received.push((peer, datagram));
            if !more {
                return received;
            }
        }
    });
    (address, serving)
}

/// Answers `count` datagrams with `reply`.
fn answer(
    reply: &'static [u8],
    mut count: u32,
) -> impl FnMut(&UdpSocket, &[u8], SocketAddr) -> bool {
    move |socket, _, peer| {
        socket.send_to(reply, peer).unwrap();
        count -= 1;
        count > 0
    }
}

const OK: &[u8] = b"Recvice message ok!";

fn lines(server: SocketAddr, args: &[&str], input: &[u8]) -> Finished {
    run_with_input(UDP_CLIENT, &[&[server.to_string().as_str()], args].concat(), input)
}

#[test]
fn each_line_is_a_datagram_and_an_empty_line_ends_it() {
    let (address, served) = server("127.0.0.1:0", answer(OK, 3));
    let ended = lines(address, &[], "one\n中文\r\nthree\n".as_bytes());
    // Standard input is no terminal, so there is no prompt, only replies.
    assert_eq!(ended.stdout, "Recvice message ok!\n".repeat(3));
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    let received = served.join().unwrap();
    let datagrams: Vec<_> = received.iter().map(|(_, datagram)| datagram.as_slice()).collect();
    assert_eq!(datagrams, [b"one", "中文".as_bytes(), b"three"]);
    // As in the tutorial, all lines leave from one source port.
    assert!(received.iter().all(|(peer, _)| *peer == received[0].0));

    let (address, _) = server("127.0.0.1:0", answer(OK, 1));
    let ended = lines(address, &[], b"one\n\nnever sent\n");
    assert_eq!((ended.stdout.as_str(), ended.status), ("Recvice message ok!\n", Some(0)));
}

#[test]
fn bytes_that_are_no_text_are_sent_as_they_are() {
    let (address, served) = server("127.0.0.1:0", answer(b"\x00\xff", 1));
    let ended = lines(address, &[], b"\x1b\xfe\xff\x00\rx\n");
    assert_eq!(ended.stdout_bytes, b"\x00\xff\n");
    assert_eq!(served.join().unwrap()[0].1, b"\x1b\xfe\xff\x00\rx");
}

#[test]
fn the_prompt_is_shown_on_a_terminal() {
    let (address, _) = server("127.0.0.1:0", answer(b"\x1b[31mok", 2));
    let mut command = quiet_command(UDP_CLIENT);
    command.arg(address.to_string());
    let mut terminal = Terminal::start(command);
    for line in ["hello\n", "中文\n"] {
        terminal.wait_for("> ");
        terminal.press(line);
        // Standard output is a terminal, so the reply is escaped.
        terminal.wait_for("\\x1b[31mok\r\n");
    }
    terminal.wait_for("> ");
    terminal.press("\n");
    assert_eq!(terminal.finish(), (Some(0), "\r\n".to_owned()));
}

#[test]
fn the_end_of_input_at_the_prompt_leaves_a_fresh_line() {
    let mut terminal = Terminal::start(quiet_command(UDP_CLIENT));
    terminal.wait_for("> ");
    terminal.press("\x04");
    let (status, screen) = terminal.finish();
    assert_eq!(status, Some(0));
    assert!(screen.ends_with("\r\n"), "{screen:?}");
}

#[test]
fn a_line_without_an_answer_says_so_and_the_next_one_is_sent() {
    let (address, served) = server("127.0.0.1:0", |socket, datagram, peer| {
        if datagram != b"silence" {
            socket.send_to(OK, peer).unwrap();
        }
        datagram != b"last"
    });
    let ended = lines(address, &["-W", "1s"], b"silence\nlast\n");
    assert_eq!(
        ended.stderr,
        format!("udp-client: {address}: no-reply (nothing came back within 1s)\n")
    );
    assert_eq!((ended.stdout.as_str(), ended.status), ("Recvice message ok!\n", Some(1)));
    let received = served.join().unwrap();
    assert_ne!(
        received[0].0, received[1].0,
        "the late reply of the first line must not reach the second"
    );
}

#[test]
fn a_late_reply_is_not_taken_for_another_lines() {
    let mut late = None;
    let (address, served) = server("127.0.0.1:0", move |socket, datagram, peer| {
        match late {
            None => late = Some(peer),
            Some(first) => {
                socket.send_to(b"to the first", first).unwrap();
                socket.send_to(b"to the second", peer).unwrap();
            }
        }
        datagram != b"two"
    });
    let ended = lines(address, &["-W", "1s"], b"one\ntwo\n");
    assert_eq!(ended.stdout, "to the second\n");
    served.join().unwrap();
}

#[test]
fn somebody_elses_reply_does_not_count() {
    let (address, served) = server("127.0.0.1:0", |_, _, peer| {
        let forger = UdpSocket::bind("127.0.0.2:0").unwrap();
        forger.send_to(b"forged", peer).unwrap();
        false
    });
    let ended = lines(address, &["-W", "200ms", "-m", "hello", "--json"], b"");
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), ended.status), ("wrong-source", Some(1)));
    let from = probe.text("from");
    assert!(from.starts_with("127.0.0.2:"), "{from}");
    let line = format!("udp-client: {address}: wrong-source ({from} answered instead)\n");
    assert_eq!(ended.stderr, line);
    served.join().unwrap();
}

/// The object that `--json` prints.
fn object(ended: &Finished) -> Event {
    Event::as_documented(&ended.stdout, "udp-client")
}

#[test]
fn an_outcome_is_a_json_object() {
    let (address, _) = server("127.0.0.1:0", answer(OK, 1));
    let ended = lines(address, &["-m", "hello", "--json"], b"");
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), probe.number("bytes")), ("ok", 19));
    assert_eq!(probe.text("address"), address.to_string());
    assert!(probe.decimal("reply_ms") > 0.0);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));
    // At the prompt each line has an object.
    let (address, _) = server("127.0.0.1:0", answer(OK, 2));
    let ended = lines(address, &["--json"], b"one\ntwo\n");
    assert_eq!(ended.stdout.lines().map(Event::parse).count(), 2);
}

#[test]
fn the_expected_verdict_is_a_success_and_another_reply_is_none() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ended = lines(address, &["-m", "x", "-W", "200ms", "--expect", "no-reply"], b"");
    let line = format!("{address}: no-reply (nothing came back within 200ms)\n");
    assert_eq!((ended.stdout, ended.stderr.as_str(), ended.status), (line, "", Some(0)));
    let (address, _) = server("127.0.0.1:0", answer(OK, 2));
    let ended = lines(address, &["-m", "x", "--expect-reply", "pong"], b"");
    let why = "wrong-reply ('Recvice message ok!', and not 'pong')";
    assert_eq!((ended.stderr, ended.status), (format!("udp-client: {address}: {why}\n"), Some(1)));
    let (address, _) = server("127.0.0.1:0", answer(OK, 2));
    let prefix = |text| lines(address, &["-m", "x", "--expect-prefix", text], b"");
    assert_eq!(prefix("Recvice ").status, Some(0));
    let why = "wrong-reply ('Recvice message ok!', which does not begin with 'pong')";
    assert_eq!(prefix("pong").stderr, format!("udp-client: {address}: {why}\n"));
    let ended = lines(address, &["-m", "x", "--expect", "bogus"], b"");
    let line = "udp-client: --expect bogus: not a verdict: ok, refused, unreachable, timeout, \
                no-reply, reset, wrong-reply, wrong-source, unresolved, local\n";
    assert_eq!((ended.stderr.as_str(), ended.status), (line, Some(2)));
}

#[test]
fn nobody_there() {
    // A socket that is connected elsewhere holds the port, and receives nothing.
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    elsewhere.connect("127.0.0.1:9").unwrap();
    let address = elsewhere.local_addr().unwrap();
    let refused = format!("udp-client: {address}: refused (port unreachable, says 127.0.0.1)\n");
    let ended = lines(address, &["-m", "hello"], b"");
    assert_eq!((ended.stderr, ended.status), (refused.clone(), Some(1)));
    // The prompt goes on.
    let ended = lines(address, &[], b"one\ntwo\n");
    assert_eq!((ended.stderr, ended.status), (refused.repeat(2), Some(1)));
}

#[test]
fn talking_to_oneself_is_no_success() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    // A datagram to an unspecified address goes to the loopback address.
    for host in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"] {
        let target = format!("{host}:{port}");
        let ended = run(UDP_CLIENT, &[&target, "--source-port", &port, "-m", "hello?"]);
        let why = "refused (nobody listens there: it would have talked to itself)";
        assert_eq!(ended.stderr, format!("udp-client: {target}: {why}\n"));
        assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(1)));
    }
}

#[test]
fn a_source_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let args = ["127.0.0.1", "-m", "x", "-s", "127.0.0.1", "--source-port", &port];
    let line = format!(
        "127.0.0.1:6666: local (cannot send from 127.0.0.1:{port}: address already in use)"
    );
    let ended = run(UDP_CLIENT, &args);
    assert_eq!((ended.stderr, ended.status), (format!("udp-client: {line}\n"), Some(2)));
}

#[test]
fn a_name_is_tried_address_by_address() {
    let (address, _) = server("127.0.0.1:0", answer(OK, 2));
    let target = format!("localhost:{}", address.port());
    let ended = run_with_input(UDP_CLIENT, &[target], b"one\ntwo\n");
    assert_eq!(ended.stdout, "Recvice message ok!\n".repeat(2));
}

#[test]
fn a_single_message_of_any_size_that_fits() {
    for len in [0, 1, 1024, 65_507] {
        let (address, served) = server("127.0.0.1:0", answer(OK, 1));
        let input = vec![b'x'; len];
        // The last of the two messages counts.
        let ended = lines(address, &["-m", "x", "--message", "-"], &input);
        assert_eq!(ended.stdout, "Recvice message ok!\n");
        assert_eq!(served.join().unwrap()[0].1, input);
    }
    let ended = run_with_input(UDP_CLIENT, &["-m", "-"], &[b'x'; 65_508]);
    assert_eq!(ended.stderr, "udp-client: standard input: longer than 65507 bytes\n");
    assert_eq!(ended.status, Some(2));
}

#[test]
fn a_line_that_does_not_fit_is_refused_and_the_prompt_goes_on() {
    let (address, served) = server("127.0.0.1:0", answer(OK, 1));
    let input = [&[b'x'; 70_000][..], b"\nfits\n"].concat();
    let ended = lines(address, &[], &input);
    let refusal = "udp-client: a line: 70000 bytes are more than a datagram holds (65507)\n";
    assert_eq!((ended.stderr.as_str(), ended.stdout.as_str()), (refusal, "Recvice message ok!\n"));
    assert_eq!(ended.status, Some(1));
    assert_eq!(served.join().unwrap()[0].1, b"fits");
}

#[test]
fn from_the_address_and_port_asked_for_over_both_families() {
    for (bind, source) in [("127.0.0.1:0", "127.0.0.9"), ("[::1]:0", "::1")] {
        let (address, served) = server(bind, answer(OK, 1));
        // The port was free a moment ago, and is not given out again soon.
        let port = UdpSocket::bind((source, 0)).unwrap().local_addr().unwrap().port();
        let args = ["-m", "x", "--source", source, "--source-port", &port.to_string()];
        assert_eq!(lines(address, &args, b"").stdout, "Recvice message ok!\n");
        let from = served.join().unwrap()[0].0;
        assert_eq!((from.ip().to_string().as_str(), from.port()), (source, port));
    }
}

#[test]
fn a_long_reply_is_whole_in_a_pipe() {
    static LONG: [u8; 9000] = [b'y'; 9000];
    let (address, _) = server("127.0.0.1:0", answer(&LONG, 1));
    assert_eq!(lines(address, &["-m", "x"], b"").stdout_bytes, [&LONG[..], b"\n"].concat());
}

#[test]
fn a_timeout_takes_as_long_as_it_says() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = std::time::Instant::now();
    let ended = lines(silent.local_addr().unwrap(), &["-m", "x", "-W", "300ms"], b"");
    assert_eq!(ended.status, Some(1));
    assert!(start.elapsed() >= Duration::from_millis(300));
    let ended = lines(silent.local_addr().unwrap(), &["-m", "x", "-W", "500us"], b"");
    assert!(ended.stderr.ends_with(": no-reply (nothing came back within 500us)\n"), "{ended:?}");
}

#[test]
fn a_command_line_that_cannot_be_followed_gives_one_line_and_status_2() {
    for (args, line) in [
        (
            &["127.255.255.255", "-m", "x"][..],
            "127.255.255.255:6666: local (a broadcast address, and not that of one machine)",
        ),
        (&["--bogus"][..], "--bogus: unknown option (see --help)"),
        (&["-m"], "--message: needs a value"),
        (&["--wait"], "--wait, --deadline: only with --message or --count"),
        (&["--source-port", "x"], "--source-port x: 'x' is not a port"),
    ] {
        let ended = run(UDP_CLIENT, args);
        assert_eq!(ended.stderr, format!("udp-client: {line}\n"));
        assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(2)), "{args:?}");
    }
}

#[test]
fn help_and_version() {
    let help = run(UDP_CLIENT, &["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.lines().all(|line| line.len() <= 100), "{}", help.stdout);
    let version = run(UDP_CLIENT, &["-V"]);
    assert_eq!(version.stdout, concat!("udp-client ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn attempts_do_not_wait_for_the_time_outs_of_those_before() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap().to_string();
    let client =
        thread::spawn(move || run(UDP_CLIENT, &[&target, "-m", "x", "--wait", "-w", "2s"]));
    let mut ports = Vec::new();
    for _ in 0..3 {
        let (_, peer) = server.recv_from(&mut [0; 1024]).unwrap();
        ports.push(peer.port());
    }
    // The first attempt is still under way: it has 5 s. Its reply counts, too.
    server.send_to(b"ok", ("127.0.0.1", ports[0])).unwrap();
    let ended = client.join().unwrap();
    assert_eq!((ended.stdout.as_str(), ended.status), ("ok\n", Some(0)));
    ports.dedup();
    assert_eq!(ports.len(), 3, "each attempt has a port of its own");
}
