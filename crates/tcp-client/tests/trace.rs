//! `--trace` over the loopback interface, where everything is one hop away. `scripts/netlab` has
//! routers.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::testing::{Event, run};

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

/// An address where nobody listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that does this with each connection, each on a thread of its own.
fn server(behave: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || behave(connection));
        }
    });
    address
}

/// Reads until the peer closes.
fn hang(mut connection: TcpStream) {
    let _ = connection.read_to_end(&mut Vec::new());
}

/// Replies, and then waits until the peer closes first.
fn reply_and_wait(mut connection: TcpStream) {
    let _ = connection.read(&mut [0; 1024]);
    let _ = connection.write_all(b"ok");
    hang(connection);
}

fn events(address: SocketAddr, args: &[&str]) -> Vec<Event> {
    let ended = run(TCP_CLIENT, &[&[address.to_string().as_str(), "-J"], args].concat());
    ended.stdout.lines().map(|line| Event::as_documented(line, "tcp-client")).collect()
}

#[test]
fn a_refused_probe_shows_its_way_and_the_failure_says_where_it_ends() {
    let address = closed().to_string();
    let ended = run(TCP_CLIENT, &[&address, "--trace"]);
    let lines: Vec<_> = ended.stderr.lines().collect();
    let says = format!(
        "tcp-client: {address}: refused (a reset came back; \
         the way there is open: the target answered at hop 1)"
    );
    assert_eq!((ended.status, ended.stdout.as_str(), lines.len()), (Some(1), "", 3), "{ended:?}");
    let way = format!("tcp-client: {address}: the way from 127.0.0.1:");
    // Another process may have taken the port meanwhile.
    let first = lines[0].trim_end_matches(" (the probe's port could not be used again)");
    assert!(first.starts_with(&way) && first.ends_with(&format!(" to {address}")), "{lines:?}");
    assert!(lines[1].starts_with("  1  127.0.0.1  ") && lines[1].ends_with(" ms"), "{lines:?}");
    assert_eq!(lines[2], says);
    let quiet = run(TCP_CLIENT, &[&address, "--trace", "-q"]);
    assert_eq!(quiet.stderr, says + "\n");
}

#[test]
fn a_connection_that_hung_is_reset_so_that_its_port_is_traced() {
    let address = server(hang);
    // Between the two another process may take the port, though hardly three times.
    let is_from_its_port = (0..3).any(|_| {
        let events = events(address, &["-W", "200ms", "--trace"]);
        let (probe, trace) = (&events[0], events[0].object("trace"));
        assert_eq!((probe.text("verdict"), trace.text("end")), ("no-reply", "reached"));
        assert_eq!((trace.number("last_hop"), trace.text("last_router")), (1, "127.0.0.1"));
        trace.text("local") == probe.text("local")
    });
    assert!(is_from_its_port);
}

#[test]
fn if_the_port_cannot_be_used_again_another_one_is_and_that_is_said() {
    // The client closes first, so its port rests (TIME_WAIT).
    let address = server(reply_and_wait);
    let ended = run(TCP_CLIENT, &[&address.to_string(), "--trace=always"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "ok\n"));
    assert!(ended.stderr.contains(" (the probe's port could not be used again)\n"), "{ended:?}");
    let (probe, trace) = {
        let events = events(address, &["--trace=always"]);
        (events[0].clone(), events[0].object("trace"))
    };
    assert_eq!((probe.text("verdict"), trace.text("end")), ("ok", "reached"));
    assert_ne!(trace.text("local"), probe.text("local"));
}

#[test]
fn in_a_run_the_first_failure_is_traced_beside_the_others() {
    for more in [&[][..], &["--flows", "2"]] {
        let args = [&["-c", "5", "-i", "50ms", "-W", "200ms", "--trace"], more].concat();
        let events = events(closed(), &args);
        let traces: Vec<_> = events.iter().filter(|event| event.name() == "trace").collect();
        assert_eq!((traces.len(), traces[0].number("number")), (1, 1));
        assert_eq!(traces[0].object("trace").text("end"), "reached");
        let summary = events.last().unwrap();
        assert_eq!(summary.object("verdicts").number("refused"), summary.number("sent"));
    }
}

#[test]
fn with_wait_the_last_attempt_is_traced_before_the_deadline() {
    let begun = Instant::now();
    let events = events(closed(), &["--wait", "-w", "1s", "--trace"]);
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert_eq!(events[0].object("trace").text("end"), "reached");
}
