//! The progress of a run, which is drawn on standard error if that is a terminal.

use std::net::UdpSocket;
use std::process::Stdio;

use common::testing::{PATIENCE, Terminal, quiet_command};

const UDP_CLIENT: &str = env!("CARGO_BIN_EXE_udp-client");

/// Starts a run of more than a second on a terminal whose name is `term`. If `is_redirected`,
/// standard output goes elsewhere.
fn run_on(term: Option<&str>, is_redirected: bool, options: &[&str]) -> Terminal {
    let mut command = quiet_command(UDP_CLIENT);
    // Whether anybody listens there does not matter.
    command.args(["127.0.0.1", "-c", "2", "-i", "1500ms", "-W", "100ms"]).args(options);
    match term {
        Some(name) => command.env("TERM", name),
        None => command.env_remove("TERM"),
    };
    match is_redirected {
        true => Terminal::start_with(Stdio::null(), command),
        false => Terminal::start(command),
    }
}

#[test]
fn the_progress_is_drawn_where_it_disturbs_nothing() {
    let cases = [
        (Some("xterm"), false, &["-q"][..], true),
        (Some("xterm"), true, &[], true),
        (Some("dumb"), false, &["-q"], false),
        (Some(""), false, &["-q"], false),
        (None, true, &[], false),
        // The lines of the probes show the progress.
        (Some("xterm"), false, &[], false),
        (Some("xterm"), false, &["-qq"], false),
        (Some("xterm"), true, &["-qq"], false),
        // The log is on the terminal.
        (Some("xterm"), true, &["-v"], false),
        (Some("xterm"), true, &["-v", "-i", "0", "-c", "9"], false),
    ];
    let runs: Vec<_> = cases.map(|case| (run_on(case.0, case.1, case.2), case)).into();
    for (run, case) in runs {
        let (_, screen) = run.finish();
        assert_eq!(screen.contains(" of 2 sent: "), case.3, "{case:?}: {screen:?}");
        assert_eq!(screen.contains('\x1b'), case.3, "{case:?}: {screen:?}");
    }
}

#[test]
fn a_terminal_that_is_held_does_not_hold_up_the_probes() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = quiet_command(UDP_CLIENT);
    let address = server.local_addr().unwrap().to_string();
    command.args([&address, "-c", "100", "-i", "50ms", "-W", "50ms"]).env("TERM", "xterm");
    let mut client = Terminal::start_with(Stdio::null(), command);
    client.wait_for(" of 100 sent: ");
    // Ctrl-S. More than a second's probes come all the same.
    client.press("\x13");
    for _ in 0..70 {
        server.recv_from(&mut [0; 1024]).unwrap();
    }
    client.press("\x11");
    assert!(client.finish().1.contains("udp-client: "));
}
