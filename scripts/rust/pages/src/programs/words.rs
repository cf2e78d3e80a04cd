//! What only the manual pages say.

pub const TCP_SERVER: &[&str] = &[
    "tcp-server is the other side for tcp-client(1): together they tell whether TCP gets through \
     between two machines. It answers the first message of each connection, closes once the peer has the \
     reply, and prints who came and what was sent. If a client gets no reply, tcp-client(1) says why, \
     under VERDICTS.",
    TCP,
];

pub const TCP_CLIENT: &[&str] = &[
    "tcp-client tells whether TCP gets through to a target, how fast and, if it does not, why: it connects, \
     sends a message, prints the reply and, if there is none, one word that says what happened, a verdict. \
     The target may be a tcp-server(1), or any server that answers. With --count it measures, as ping(8) \
     does, but with connections.",
    TCP,
];

pub const UDP_SERVER: &[&str] = &[
    "udp-server is the other side for udp-client(1): together they tell whether UDP gets through \
     between two machines. It answers each datagram, from the address that the datagram went to, and prints \
     who sent it and what was in it. If a client gets no reply, udp-client(1) says why, under VERDICTS. A \
     server that strangers can reach should have --rate 50.",
    UDP,
];

pub const UDP_CLIENT: &[&str] = &[
    "udp-client tells whether UDP gets through to a target, how fast and, if it does not, why: it \
     sends a datagram, prints the reply and, if there is none, one word that says what happened, a verdict. \
     Silence is never a success: the target has to answer, as a udp-server(1) does. With --count it measures, \
     as ping(8) does, but with datagrams.",
    UDP,
];

const TCP: &str = "\
Without options the programs speak the protocol of a Python socket tutorial, byte for byte: the client \
connects to port 6666 and sends \"hehe, just for a test!\", and the server answers \"ACK!\" and closes.";

const UDP: &str = "\
Without options the programs speak the protocol of a Python socket tutorial, byte for byte: the client \
sends each line that is typed as a datagram to port 6666, and the server answers each with \"Recvice \
message ok!\", in the tutorial's spelling.";

const RUST_LOG: (&str, &str) = (
    "RUST_LOG",
    "Overrides --quiet and --verbose for what goes through the log: error, warn, info, debug, trace or \
     off, for all or by module. A value that cannot be understood is an error.",
);

const COLUMNS: (&str, &str) =
    ("COLUMNS", "How wide --help is, if none of the standard streams is a terminal.");

pub const SERVER_ENVIRONMENT: &[(&str, &str)] = &[
    COLUMNS,
    (
        "LISTEN_FDS, LISTEN_PID",
        "Sockets that a service manager passes, see sd_listen_fds(3). They replace --listen.",
    ),
    (
        "NOTIFY_SOCKET",
        "Where to say READY=1 once the server listens, and STOPPING=1 at its end, see sd_notify(3).",
    ),
    RUST_LOG,
];

pub const CLIENT_ENVIRONMENT: &[(&str, &str)] = &[
    COLUMNS,
    RUST_LOG,
    (
        "TERM",
        "If it is empty, unset or dumb, a run on a terminal has no line that says how far it is.",
    ),
];

pub const SERVER_SIGNALS: &str = "\
SIGINT, SIGTERM and SIGHUP stop a server in order: messages that have come are answered. Another one, \
200 ms later or more, ends it at once.";

pub const CLIENT_SIGNALS: &str = "\
SIGINT, SIGTERM and SIGHUP end a client by that signal, which a shell reports as 128 plus the signal's \
number. At SIGINT or SIGTERM a run (--count) ends with its summary and its own exit status instead. At \
SIGQUIT a run says how it stands, and goes on.";
