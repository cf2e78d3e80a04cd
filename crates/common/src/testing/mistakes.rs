//! Command lines that cannot be followed: each gets one line, and exit status 2.

use std::path::Path;

use clap::Command;

use crate::options::foreign::COMMON;
use crate::options::guide::Guide;

use super::peers::skipped;
use super::program::run;

/// Asserts of each command line that `program` prints this one line, and ends with status 2.
/// The words are separated by spaces.
pub fn assert_answered(program: &str, mistakes: &[(&str, &str)]) {
    let name = Path::new(program).file_name().expect("a name").to_string_lossy();
    let mut wrong = Vec::new();
    for (words, line) in mistakes {
        let words: Vec<_> = words.split_whitespace().collect();
        let ended = run(program, &words);
        if ended.stderr != format!("{name}: {line}\n") {
            wrong.push(format!("{words:?}\n  {line}\n  {}", ended.stderr));
        } else if ended.status != Some(2) || !ended.stdout.is_empty() {
            wrong.push(format!("{words:?}: {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asserts that no hint of `guide` is about an option that `command` has, and that each option
/// in a hint is one that it has.
pub fn assert_hints_lead_here(command: &Command, guide: &Guide) {
    let own: Vec<String> = command
        .get_arguments()
        .flat_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            long.into_iter().chain(arg.get_short().map(|short| format!("-{short}")))
        })
        .chain(["--help", "-h", "--version", "-V"].map(str::to_owned))
        .collect();
    let has = |option: &str| own.iter().any(|own| own == option);
    for foreign in guide.foreign.iter().copied().flatten().chain(COMMON) {
        for option in foreign.options.split(' ') {
            assert!(option.starts_with('-') && !has(option), "{foreign:?}: {option}");
        }
        let words = foreign.hint.split([' ', ',']).filter(|word| word.len() > 1);
        for option in words.filter(|word| word.starts_with('-')) {
            assert!(has(option), "{foreign:?}: {option}");
        }
        assert!(foreign.hint.contains(foreign.value), "{foreign:?}");
    }
}

/// Whether this machine has the names of services. If not, the test is reported as skipped.
#[must_use]
pub fn knows_services() -> bool {
    let is_there = Path::new("/etc/services").exists();
    if !is_there {
        skipped("there is no /etc/services");
    }
    is_there
}

/// Mistakes on the command line of either server, and what is said of them.
pub const OF_ANY_SERVER: &[(&str, &str)] = &[
    ("7777", "7777: unexpected word (write --listen :7777)"),
    (":7777", ":7777: unexpected word (write --listen :7777)"),
    ("0.0.0.0:7777", "0.0.0.0:7777: unexpected word (write --listen 0.0.0.0:7777)"),
    ("127.0.0.1 7777", "127.0.0.1: unexpected word (write --listen 127.0.0.1:7777)"),
    ("::1 7777", "::1: unexpected word (write --listen [::1]:7777)"),
    ("localhost", "localhost: unexpected word (write --listen localhost)"),
    ("-l 127.0.0.1 7777", "7777: unexpected word (write --listen 127.0.0.1:7777)"),
    ("-lp 7777", "7777: unexpected word (write --listen :7777)"),
    ("--reply hello 7777", "7777: unexpected word (write --listen :7777)"),
    ("help", "help: unexpected word (see --help)"),
    ("-p 7777", "-p: unknown option (write --listen :7777)"),
    ("-p7777", "-p: unknown option (write --listen :7777)"),
    ("-vp 7777", "-p: unknown option (write --listen :7777)"),
    ("-l -p 7777", "-p: unknown option (write --listen :7777)"),
    ("--port 7777", "--port: unknown option (write --listen :7777)"),
    ("--port=7777", "--port: unknown option (write --listen :7777)"),
    ("--port", "--port: unknown option (write --listen :PORT)"),
    ("--port --json", "--port: unknown option (write --listen :PORT)"),
    ("-l 7777", "--listen 7777: not a host (a port alone is written :7777)"),
    ("-l *:7777", "--listen *:7777: every address is written as a port alone: :PORT"),
    (
        "-l ::1:7777",
        "--listen ::1:7777: with a port it is written [::1]:7777, and without one [::1:7777]",
    ),
    ("-l :::7777", "--listen :::7777: with a port it is written [::]:7777"),
    ("-l :80,:81", "--listen :80,:81: one address at a time"),
    ("--replay x", "--replay: unknown option (did you mean --reply?)"),
    ("-l lo", "lo:6666: an interface: write an address that it has"),
    ("-l -1", "--listen -1: not a host name"),
    ("--host 0.0.0.0", "--host: unknown option (write --listen 0.0.0.0)"),
    ("--bind 10.0.0.1:7", "--bind: unknown option (write --listen 10.0.0.1:7)"),
    ("--address box", "--address: unknown option (write --listen box)"),
    (
        "--interface eth0",
        "--interface: unknown option (--listen takes an address of the interface)",
    ),
    ("-s", "-s: unknown option (a server listens; --listen ADDR says where)"),
    ("-4", "-4: unknown option (write --listen 0.0.0.0:PORT)"),
    ("-6 -l :1", "-6: unknown option (write --listen [::]:PORT)"),
    ("-k", "-k: unknown option (a server goes on until Ctrl-C or --count)"),
    ("--once", "--once: unknown option (write --count 1)"),
    ("-n 3", "-n: unknown option (write --count 3)"),
    ("-d", "-d: unknown option (leave that to a service manager, or to the shell's &)"),
    ("--threads 4", "--threads: unknown option (write --workers 4)"),
    ("--message hi", "--message: unknown option (write --reply hi)"),
    ("--reuseaddr", "--reuseaddr: unknown option (a server can always be restarted)"),
    ("-e /bin/sh", "-e: unknown option (no program is run)"),
    ("-o out", "-o: unknown option (redirect the output: >out)"),
    ("--silent", "--silent: unknown option (write --quiet)"),
    ("--debug", "--debug: unknown option (write --verbose)"),
    ("--format=json", "--format: unknown option (write --json)"),
    ("--tls", "--tls: unknown option (messages are sent as they are)"),
    ("-c inf", "--count inf: not a whole number from 1 on (without --count a server goes on)"),
    ("-c 0", "--count 0: not a whole number from 1 on (without --count a server goes on)"),
    ("-c -1", "--count -1: not a whole number from 1 on (without --count a server goes on)"),
    ("--workers -1", "--workers -1: not a whole number from 0 to 1024"),
    ("--idle-exit -5s", "--idle-exit -5s: not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h"),
    ("--reply -x --listen", "--listen: needs a value"),
    ("-q -1", "-1: unknown option (write --count 1)"),
    ("--bogus", "--bogus: unknown option (see --help)"),
    ("--json=yes", "--json: takes no value"),
];

/// Mistakes on the command line of either client, and what is said of them.
pub const OF_ANY_CLIENT: &[(&str, &str)] = &[
    ("--trace=never -m x", "--trace=never: write --trace=failure or --trace=always"),
    ("--traceroute -m x", "--traceroute: unknown option (write --trace)"),
    ("-p 7777", "-p: unknown option (the port follows the host: HOST 7777)"),
    ("-p7777", "-p: unknown option (the port follows the host: HOST 7777)"),
    ("--port 7777", "--port: unknown option (the port follows the host: HOST 7777)"),
    ("--port=7777 box", "--port: unknown option (the port follows the host: HOST 7777)"),
    ("7777", "7777: not a host (a port alone is written :7777)"),
    ("--host box", "--host: unknown option (the host needs no option: box)"),
    ("-H box", "-H: unknown option (the host needs no option: box)"),
    ("--dest", "--dest: unknown option (the host needs no option: HOST)"),
    ("--bind 10.0.0.1", "--bind: unknown option (write --source 10.0.0.1)"),
    ("-I lo", "-I: unknown option (write --interface lo)"),
    ("--dev", "--dev: unknown option (write --interface NAME)"),
    (
        "--interface sixteen-letters!",
        "--interface sixteen-letters!: 16 bytes long, and the most is 15",
    ),
    ("--dscp voice", "--dscp voice: not a DSCP: 0 to 63, EF, CS0 to CS7, AF11 to AF43"),
    ("--source lo", "--source lo: an interface: write --interface lo, or an address that it has"),
    (
        "--source 127.0.0.1:80",
        "--source 127.0.0.1:80: an address alone is wanted (the port goes with --source-port)",
    ),
    ("--source :80", "--source :80: an address alone is wanted (the port goes with --source-port)"),
    ("--local-port 53", "--local-port: unknown option (write --source-port 53)"),
    ("-n box", "-n: unknown option (no name is looked up for an address)"),
    ("-l", "-l: unknown option (a client does not listen: the servers do)"),
    ("-k", "-k: unknown option (a client does not listen: the servers do)"),
    ("::1:6666", "::1:6666: with a port it is written [::1]:6666, and without one [::1:6666]"),
    ("::1:16666", "::1:16666: with a port it is written [::1]:16666"),
    ("127.0.0.1 22 80", "80: unexpected word (one port at a time)"),
    ("127.0.0.1 22 hello", "hello: unexpected word (a message goes with --message, in quotes)"),
    ("127.0.0.1 20-30", "20-30: not a port (one at a time)"),
    ("127.0.0.1 80,443", "80,443: not a port (one at a time)"),
    ("127.0.0.1 80/tcp", "80/tcp: not a port (a message goes with --message, in quotes)"),
    ("127.0.0.1 70000", "70000: port 70000 is above 65535"),
    ("127.0.0.1:80/path", "127.0.0.1:80/path: '80/path' is not a port"),
    ("user@box", "user@box: not a host name"),
    ("http://box", "http://box: a URL is no address: write HOST:PORT"),
    ("--timeout -1", "--timeout -1: not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h"),
    ("-W -1s box", "--timeout -1s: not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h"),
    ("-qW -.5 box", "--timeout -.5: not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h"),
    ("--deadline 5sec", "--deadline 5sec: not a duration: write it as 500us, 20ms, 2s, 1.5m or 1h"),
    ("-c -1", "--count -1: not a whole number (0: until Ctrl-C)"),
    ("-c inf", "--count inf: not a whole number (0: until Ctrl-C)"),
    ("--max-loss -1", "--max-loss -1: not a percentage from 0 to 100"),
    ("--source-port -1", "--source-port -1: '-1' is not a port"),
    ("-q -1", "-1: unknown option (see --help)"),
    ("127.0.0.1 -1", "-1: unknown option (see --help)"),
    ("--timeout --json", "--timeout: needs a value"),
    (
        "--expect open",
        "--expect open: not a verdict: ok, refused, unreachable, timeout, no-reply, reset, wrong-reply, wrong-source, unresolved, local",
    ),
    (
        "--expect refused,closed",
        "--expect refused,closed: closed is not a verdict: ok, refused, unreachable, timeout, no-reply, reset, wrong-reply, wrong-source, unresolved, local",
    ),
    ("-d hi", "-d: unknown option (write --message hi)"),
    ("--data=hi", "--data: unknown option (write --message hi)"),
    ("--file x", "--file: unknown option (--message - sends all of standard input)"),
    ("--length 100", "--length: unknown option (write --size 100)"),
    ("-m hello --size 4", "--size 4: less than the message's own 5 bytes"),
    ("-P 4", "-P: unknown option (write --flows 4)"),
    ("--flood", "--flood: unknown option (write --interval 0)"),
    ("-b 100M", "-b: unknown option (--interval DUR is the pace)"),
    ("--retry 3", "--retry: unknown option (--wait tries again, and --count N measures)"),
    ("--max-time 3", "--max-time: unknown option (write --deadline 3)"),
    ("--connect-timeout 3", "--connect-timeout: unknown option (write --timeout 3)"),
    ("--requests 3", "--requests: unknown option (write --count 3)"),
    ("--delay 1s", "--delay: unknown option (write --interval 1s)"),
    ("--ipv4", "--ipv4: unknown option (write -4)"),
    ("--ipv6", "--ipv6: unknown option (write -6)"),
    ("-x proxy", "-x: unknown option (a proxy would answer in the target's place)"),
    ("--seconds 3", "--seconds: unknown option (see --help)"),
    ("box:80:90", "box:80:90: more than a host and a port"),
    ("box,cup", "box,cup: one address at a time"),
    ("-e sh", "-e: unknown option (no program is run)"),
    ("--log-file out", "--log-file: unknown option (redirect the output: >out)"),
    ("--tls", "--tls: unknown option (messages are sent as they are)"),
    ("--hist", "--hist: unknown option (did you mean --histogram?)"),
    ("--bogus", "--bogus: unknown option (see --help)"),
];
