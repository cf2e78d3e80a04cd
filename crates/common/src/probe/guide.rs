//! What the `--help` of a client says beside its options.

/// How a target and a duration are written.
pub const NOTES: &str = "\
HOST is a name, an IPv4 or an IPv6 address ([IPV6]:PORT); :PORT alone means this machine. \
DUR is 500us, 20ms, 2s, 1.5m or 1h; a bare number is seconds.";

/// The exit statuses of a client.
pub const EXIT_STATUS: &str = "\
Exit status:
  0    as expected
  1    not as expected
  2    the command line, or this machine, is at fault
  124  not as expected before the deadline of --wait";
