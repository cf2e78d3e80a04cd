//! The command line.

use clap::Parser;
use common::exit::Failure;
use common::options::{Text, text};
use common::probe::message;
use common::probe::persistence::Persistence;
use common::probe::plan::Probing;
use common::probe::report::Reporting;
use common::probe::target::Target;
use common::protocol::{MAX_DATAGRAM, TCP_MESSAGE};

/// Sends each line typed as a UDP datagram and prints the replies
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
pub struct Options {
    #[command(flatten)]
    pub target: Target,

    /// Send just this, instead of lines ("-": standard input)
    #[arg(short, long, value_name = "TEXT")]
    #[arg(value_parser = text(MAX_DATAGRAM), allow_hyphen_values = true)]
    pub message: Option<Text>,

    #[command(flatten)]
    pub probing: Probing,

    #[command(flatten)]
    pub persistence: Persistence,

    #[command(flatten)]
    pub reporting: Reporting,
}

impl Options {
    /// What is to be sent; none where lines are.
    pub fn datagram(&self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(text) = &self.message {
            return message::given(text.clone(), MAX_DATAGRAM).map(Some);
        }
        if self.probing.plan()?.is_some() {
            return Ok(Some(TCP_MESSAGE.into()));
        }
        if self.persistence.is_given() {
            return Err(Failure::usage("--wait, --deadline", "only with --message or --count"));
        }
        Ok(None)
    }
}

const HELP: &str = "\
Without --message and --count, an empty line or the end of the input ends it.
HOST is a name, an IPv4 or an IPv6 address ([IPV6]:PORT); :PORT alone means this machine.
DUR is 500ms, 2s, 1.5m or 1h; a bare number is seconds.

VERDICT is ok, refused, unreachable, no-reply, wrong-reply, wrong-source, unresolved or local.
--wait and --deadline go with --message or --count.

Exit status: 0 as expected, 1 not as expected, 2 usage or a local fault,
124 not as expected until the deadline of --wait.";
