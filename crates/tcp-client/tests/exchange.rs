//! What the client sends and prints, and its exit status, for whatever the
//! other side does.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::testing::{
    Event, Finished, Server, Terminal, documented, quiet_command, run, run_with_input,
};
use socket2::{Domain, SockRef, Socket, Type};

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

/// Serves one connection with `serve`, on `address`; what it returns is the
/// thread's.
fn server<T: Send + 'static>(
    address: &str,
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// The tutorial's server: one receive, the reply, the end.
fn answer(reply: &'static [u8]) -> impl FnOnce(TcpStream) -> (Vec<u8>, SocketAddr) {
    move |mut stream| {
        let mut message = vec![0; 1024];
        let len = stream.read(&mut message).unwrap();
        message.truncate(len);
        stream.write_all(reply).unwrap();
        (message, stream.peer_addr().unwrap())
    }
}

/// Runs the client against `server` with more arguments.
fn client(server: SocketAddr, args: &[&str]) -> Finished {
    run(TCP_CLIENT, &[&[server.to_string().as_str()], args].concat())
}

fn assert_failed(ended: &Finished, status: i32, line: &str) {
    assert_eq!(ended.stderr, format!("tcp-client: {line}\n"));
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(status)));
}

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
    // `localhost` is often ::1 first, where nobody listens here.
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

/// An address that this test holds, and on which nobody listens.
fn reserved() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn to_talk_to_oneself_is_no_success() {
    let (_held, address) = reserved();
    let ended = client(address, &["--source-port", &address.port().to_string()]);
    let line = format!("{address}: refused (nobody listens there: it would have talked to itself)");
    assert_failed(&ended, 1, &line);
}

#[test]
fn a_reply_counts_although_a_reset_followed_at_once() {
    for _ in 0..100 {
        let (address, _) = server("127.0.0.1:0", |mut stream| {
            stream.write_all(b"ACK!").unwrap();
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        let ended = client(address, &[]);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ACK!\n", ""));
    }
}

#[test]
fn nobody_there() {
    let (_held, address) = reserved();
    assert_failed(&client(address, &[]), 1, &format!("{address}: refused (a reset came back)"));
}

#[test]
fn no_reply_in_time() {
    let (address, _served) = server("127.0.0.1:0", |mut stream| {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_or_default()
    });
    let ended = client(address, &["--timeout", "200ms"]);
    assert_failed(
        &ended,
        1,
        &format!("{address}: no-reply (connected, and then nothing within 200ms)"),
    );
}

#[test]
fn no_connection_in_time() {
    // A listener whose queue is full takes no more SYNs.
    let (listener, address) = reserved();
    listener.listen(0).unwrap();
    let _queued = TcpStream::connect(address).unwrap();
    let ended = client(address, &["-W", "0.2"]);
    assert_failed(&ended, 1, &format!("{address}: timeout (no connection within 200ms)"));
}

#[test]
fn closed_without_a_reply() {
    let (address, served) = server("127.0.0.1:0", |mut stream| {
        let mut message = [0; 1024];
        let len = stream.read(&mut message).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        len
    });
    assert_failed(
        &client(address, &[]),
        1,
        &format!("{address}: no-reply (closed without a reply)"),
    );
    served.join().unwrap();
}

#[test]
fn reset_instead_of_a_reply() {
    let (address, _) = server("127.0.0.1:0", |mut stream| {
        stream.read_exact(&mut [0; 1]).unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_failed(
        &client(address, &[]),
        1,
        &format!("{address}: reset (connection reset by peer)"),
    );
}

#[test]
fn a_reply_is_taken_although_the_message_could_not_be_sent() {
    // The tutorial's server closes on unread data, which resets; the reply
    // was there before that.
    let input = vec![b'x'; 8 * 1024 * 1024];
    for _ in 0..20 {
        let (address, _) = server("127.0.0.1:0", |mut stream| {
            stream.read_exact(&mut [0; 1024]).unwrap();
            stream.write_all(b"ACK!").unwrap();
        });
        let ended = run_with_input(TCP_CLIENT, &["-m", "-", &address.to_string()], &input);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ACK!\n", ""));
    }
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
    // Twice quiet, the exit status alone tells.
    let (_held, address) = reserved();
    let ended = client(address, &["-qq"]);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(1)));
}

#[test]
fn standard_output_that_takes_no_more_is_status_1_and_silence() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let mut command = quiet_command(TCP_CLIENT);
    command.arg(address.to_string()).stderr(Stdio::piped());
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!((output.stderr.as_slice(), output.status.code()), (&b""[..], Some(1)));
}

/// The object that `--json` prints.
fn object(ended: &Finished) -> Event {
    let object = Event::parse(&ended.stdout);
    assert_eq!(Some(&object.fields()), documented("tcp-client").get(object.name()), "{object:?}");
    object
}

#[test]
fn an_outcome_is_a_json_object() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!\n"));
    let ended = client(address, &["--json"]);
    let probe = object(&ended);
    assert_eq!(
        (probe.name(), probe.text("verdict"), probe.text("reply")),
        ("probe", "ok", "ACK!\\n")
    );
    assert_eq!(probe.text("target"), address.to_string());
    assert!(probe.text("local").starts_with("127.0.0.1:"));
    assert!(probe.decimal("connect_ms") > 0.0 && probe.decimal("reply_ms") > 0.0);
    assert_eq!((ended.stderr.as_str(), ended.status), ("", Some(0)));

    let (_reserved, address) = reserved();
    let ended = client(address, &["-J"]);
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), probe.text("reason")), ("refused", "a reset came back"));
    let line = format!("tcp-client: {address}: refused (a reset came back)\n");
    assert_eq!((ended.stderr, ended.status), (line, Some(1)));
    // What was hoped for is no warning.
    let ended = client(address, &["-Jq", "--expect", "refused"]);
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(0)));
    assert_eq!(object(&client(address, &["-Jq"])).text("verdict"), "refused");
}

#[test]
fn what_is_hoped_for_is_a_success() {
    let (_reserved, address) = reserved();
    let ended = client(address, &["--expect", "refused"]);
    let line = format!("{address}: refused (a reset came back)\n");
    assert_eq!((ended.stdout, ended.stderr.as_str(), ended.status), (line, "", Some(0)));
    let line = format!("{address}: refused (a reset came back), and not timeout");
    assert_failed(&client(address, &["--expect", "timeout"]), 1, &line);

    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    let ended = client(address, &["--expect", "refused"]);
    let line = format!("tcp-client: {address}: ok, and not refused\n");
    assert_eq!((ended.stdout.as_str(), ended.stderr, ended.status), ("ACK!\n", line, Some(1)));
}

#[test]
fn another_reply_than_the_one_hoped_for_is_none() {
    let (address, _) = server("127.0.0.1:0", answer(b"ACK!"));
    assert_eq!(client(address, &["--expect-reply", "ACK!"]).stdout, "ACK!\n");
    let (address, _) = server("127.0.0.1:0", answer(b"\x1bno"));
    let line = format!("{address}: wrong-reply ('\\x1bno', and not 'ACK!')");
    assert_failed(&client(address, &["--expect-reply", "ACK!"]), 1, &line);
}

#[test]
fn a_name_without_an_address_is_unresolved() {
    let target = "no-such-name.invalid";
    let ended = run(TCP_CLIENT, &[target, "--json", "--expect", "unresolved"]);
    let probe = object(&ended);
    assert_eq!((probe.text("verdict"), ended.status), ("unresolved", Some(0)));
    let ended = run(TCP_CLIENT, &[target]);
    assert!(ended.stderr.starts_with(&format!("tcp-client: {target}:6666: unresolved (")));
    assert_eq!(ended.status, Some(1));
}

#[test]
fn it_waits_until_somebody_answers() {
    let (reserved, address) = reserved();
    // What it says of its attempts goes to standard error.
    let mut command = quiet_command("sh");
    command.args(["-c", r#"exec "$0" "$@" 2>&1"#, TCP_CLIENT, &address.to_string()]);
    command.args(["-v", "--wait", "--deadline", "30s"]);
    let mut waiting = Server::spawn(command, 0);
    waiting.wait_for(": refused");
    drop(reserved);
    let _served = server(&address.to_string(), answer(b"ACK!"));
    let (status, lines) = waiting.finish();
    assert_eq!((lines.last().map(String::as_str), status), (Some("ACK!"), Some(0)));
}

#[test]
fn it_does_not_wait_for_ever() {
    let (_reserved, address) = reserved();
    let begun = Instant::now();
    let ended = client(address, &["--wait", "-w", "1200ms"]);
    assert!((1000..30_000).contains(&begun.elapsed().as_millis()), "until near the deadline");
    let line = format!("tcp-client: {address}: refused (a reset came back), for ");
    assert!(ended.stderr.starts_with(&line), "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(124)));
    // Silence that only the deadline made proves nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ended = client(address, &["--wait", "-w", "300ms", "--expect", "no-reply"]);
    let line = "no-reply (connected, and then nothing within 300ms), cut short by the deadline";
    assert_failed(&ended, 124, &format!("{address}: {line}"));
    // Without --wait a deadline is a time limit as any other.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let line = format!("{address}: no-reply (connected, and then nothing within 200ms)");
    assert_failed(&client(address, &["-w", "200ms"]), 1, &line);
}

#[test]
fn a_half_close_ends_the_message() {
    for (args, message) in [(&["-N"][..], "hehe, just for a test!"), (&["-N", "-m", ""], "")] {
        let (address, served) = server("127.0.0.1:0", |mut stream| {
            // To the end, which only comes if that side is closed.
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
        (&["127.0.0.1", "hello"], "hello: not a port (a message goes with --message)"),
        (&["127.0.0.1", "70000"], "70000: port 70000 is above 65535"),
        (&["127.0.0.1:1", "2"], "2: 127.0.0.1:1 has a port already"),
        (&["127.0.0.1:0"], "127.0.0.1:0: nobody can be reached at port 0"),
        (&["255.255.255.255"], "255.255.255.255:6666: not the address of one machine"),
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
        (&["-4", "-6"], "-4: cannot be used with -6"),
        (&["-W", "0"], "--timeout 0: shorter than 1ms"),
        (&["-W", "soon"], "--timeout soon: not a duration: write it as 500ms, 2s, 1.5m or 1h"),
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
fn help_and_version() {
    let help = run(TCP_CLIENT, &["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.lines().all(|line| line.len() <= 100), "{}", help.stdout);
    let version = run(TCP_CLIENT, &["-V"]);
    assert_eq!(version.stdout, concat!("tcp-client ", env!("CARGO_PKG_VERSION"), "\n"));
}
