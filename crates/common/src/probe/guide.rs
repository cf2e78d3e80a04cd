//! What a client says beside its options: in `--help`, and to somebody who is used to other
//! programs.

use crate::options::foreign::Foreign;

/// How a target and a duration are written.
pub const NOTES: &str = "\
HOST is a name, an IPv4 or an IPv6 address ([IPV6]:PORT); :PORT alone means this machine. \
PORT is a number or the name of a service. \
DUR is 500us, 20ms, 2s, 1.5m or 1h; a bare number is seconds.";

/// The exit statuses of a client.
pub const EXIT_STATUS: &str = "\
Exit status:
  0    as expected
  1    not as expected
  2    the command line, or this machine, is at fault; or there was nothing to send
  124  not as expected before the deadline of --wait";

/// What users of other clients write for what is written otherwise here.
pub const FOREIGN: &[Foreign] = &[
    Foreign::new(
        "-p --port --dport --dst-port --dest-port --destination-port --remote-port",
        "PORT",
        "the port follows the host: HOST PORT",
    ),
    Foreign::new(
        "-a -H --host --hostname --addr --address --ip --server --target --dst --dest --destination \
         --remote --url",
        "HOST",
        "the host needs no option: HOST",
    ),
    Foreign::new(
        "-B --bind --bind-address --from --local --local-address --src --src-ip --source-ip \
         --source-address",
        "ADDR",
        "write --source ADDR",
    ),
    Foreign::new(
        "-I --iface --dev --device --nic --bind-device --vrf",
        "NAME",
        "write --interface NAME",
    ),
    Foreign::new(
        "--sport --src-port --local-port --lport --bind-port --cport",
        "PORT",
        "write --source-port PORT",
    ),
    Foreign::new("-z --zero --zero-io --scan", "", "a message is sent, and a reply is the proof"),
    Foreign::new("-n --numeric --no-dns --nodns", "", "no name is looked up for an address"),
    Foreign::new(
        "--max-time --total-timeout --time-limit --duration",
        "DUR",
        "write --deadline DUR",
    ),
    Foreign::new(
        "--connect-timeout --response-timeout --read-timeout --idle-timeout --time-out",
        "DUR",
        "write --timeout DUR",
    ),
    Foreign::new(
        "--retry --retries --tries --attempts --repeat --until",
        "",
        "--wait tries again, and --count N measures",
    ),
    Foreign::new(
        "-d --data --data-raw --data-ascii --text --payload --body --send --string --msg",
        "TEXT",
        "write --message TEXT",
    ),
    Foreign::new(
        "-S --length --len --bytes --packet-size --packetsize --data-size --padding",
        "N",
        "write --size N",
    ),
    Foreign::new("--file --data-binary --upload", "", "--message - sends all of standard input"),
    Foreign::new("-P --parallel --streams --connections --concurrency", "N", "write --flows N"),
    Foreign::new("-f --flood --fast", "", "write --interval 0"),
    Foreign::new("--number --num --requests --probes --packets --times", "N", "write --count N"),
    Foreign::new("--delay --period --sleep", "DUR", "write --interval DUR"),
    Foreign::new("-b --rate --bandwidth --bitrate --pps", "", "--interval DUR is the pace"),
    Foreign::new("--ipv4 --inet --inet4", "", "write -4"),
    Foreign::new("--ipv6 --inet6", "", "write -6"),
    Foreign::new("-l -k --listen --keep-open", "", "a client does not listen: the servers do"),
    Foreign::new("--traceroute --tr", "", "write --trace"),
    Foreign::new("-x --proxy", "", "a proxy would answer in the target's place"),
];

/// What to say of a word after the host and the port.
#[must_use]
pub fn of_word(_: Option<&str>, word: &str, _: Option<&str>) -> String {
    let is_port = word.starts_with(|c: char| c.is_ascii_digit());
    let hint =
        if is_port { "one port at a time" } else { "a message goes with --message, in quotes" };
    hint.to_owned()
}
