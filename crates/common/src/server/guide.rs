//! What a server says beside its options: in `--help`, and to somebody who is used to other
//! programs.

use crate::address::{Address, Host};
use crate::options::foreign::Foreign;
use crate::port::parse_port;

/// How an address and a duration are written.
pub const NOTES: &str = "\
ADDR is HOST:PORT, HOST, [IPV6]:PORT, or :PORT for every address of both families. \
PORT is a number, 0 for one that the system chooses, or the name of a service. \
DUR is 500ms, 2s, 1.5m or 1h; a bare number is seconds.";

/// How a server begins and ends.
pub const LIFE: &str = "\
Sockets that a service manager passes (LISTEN_FDS) replace --listen. Ctrl-C stops the server, \
which then prints its totals.";

/// The exit statuses of a server.
pub const EXIT_STATUS: &str = "\
Exit status:
  0  stopped by a signal or by --count; or by --idle-exit, after somebody came; or
     because nobody reads its standard output, with nothing left to show
  1  --idle-exit ended it before --count was reached or, without --count, before
     anybody came who counts; or nobody read its standard output before --count was
     reached; or it could not go on: a socket or the event loop broke, or the
     system refused a call that it needs
  2  the command line is at fault, or the server could not listen; or nobody read
     its standard output before --idle-exit could decide; or somebody waited then
     who could not be served, and might have had the expected message";

/// What users of other servers write for what is written otherwise here.
pub const FOREIGN: &[Foreign] = &[
    Foreign::new(
        "-p --port --lport --local-port --listen-port --server-port",
        "PORT",
        "write --listen :PORT",
    ),
    Foreign::new(
        "-a -b -B -H --addr --address --bind --bind-address --host --hostname --ip --local --server",
        "ADDR",
        "write --listen ADDR",
    ),
    Foreign::new(
        "-i -I --interface --iface --dev --device",
        "",
        "--listen takes an address of the interface",
    ),
    Foreign::new("-s --source", "", "a server listens; --listen ADDR says where"),
    Foreign::new("-4 --ipv4 --inet --inet4", "", "write --listen 0.0.0.0:PORT"),
    Foreign::new("-6 --ipv6 --inet6", "", "write --listen [::]:PORT"),
    Foreign::new(
        "-k --keep-open --keepalive --loop --persistent --forever",
        "",
        "a server goes on until Ctrl-C or --count",
    ),
    Foreign::new("-1 --once --single --one-off", "", "write --count 1"),
    Foreign::new("-n --number --num --max --requests", "N", "write --count N"),
    Foreign::new(
        "-w -W --timeout --idle --idle-timeout --duration",
        "DUR",
        "write --idle-exit DUR",
    ),
    Foreign::new(
        "-d --daemon --daemonize --background --detach",
        "",
        "leave that to a service manager, or to the shell's &",
    ),
    Foreign::new("-T -j --threads --processes --jobs", "N", "write --workers N"),
    Foreign::new(
        "-m --message --text --response --answer --banner --data --echo",
        "TEXT",
        "write --reply TEXT",
    ),
    Foreign::new("-r --reuse --reuseaddr --reuse-address", "", "a server can always be restarted"),
];

/// What to say of a `word` that a server does not expect. Most likely it says where to listen.
#[must_use]
pub fn of_word(before: Option<&str>, word: &str, after: Option<&str>) -> String {
    let parsed = |text: Option<&str>| text.and_then(|text| text.parse::<Address>().ok());
    let port = |text: Option<&str>| text.and_then(|text| parse_port(text).ok());
    // A word that is surely an address: a name alone could be anything.
    let host = |text: Option<&str>| {
        parsed(text).filter(|address| address.port.is_none()).map(|address| address.host).filter(
            |host| !matches!(host, Host::Name(name) if name != "localhost" && !name.contains('.')),
        )
    };
    let address = if let Some(number) = port(Some(word)) {
        let host = host(before).unwrap_or(Host::Any);
        Address { host, port: Some(number) }.to_string()
    } else if let (Some(host), Some(number)) = (host(Some(word)), port(after)) {
        Address { host, port: Some(number) }.to_string()
    } else if host(Some(word)).is_some() || parsed(Some(word)).is_some_and(|it| it.port.is_some()) {
        word.to_owned()
    } else {
        return "see --help".to_owned();
    };
    format!("write --listen {address}")
}
