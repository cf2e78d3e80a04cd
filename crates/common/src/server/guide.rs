//! What the `--help` of a server says beside its options.

/// How an address and a duration are written.
pub const NOTES: &str = "\
ADDR is HOST:PORT, HOST, [IPV6]:PORT, or :PORT for every address of both families; port 0 lets \
the system choose. DUR is 500ms, 2s, 1.5m or 1h; a bare number is seconds.";

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
     reached; or the event loop broke
  2  the command line is at fault, or the server could not listen; or nobody read
     its standard output before --idle-exit could decide; or somebody waited then
     who could not be accepted, and might have had the expected message";
