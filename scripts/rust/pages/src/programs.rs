//! The four programs: their command lines, and what only a manual page says of them.

use clap::{Command, CommandFactory};
use common::options::guide::Guide;
use common::protocol::Transport;

mod words;

/// The command lines, and the limits that are defaults in them.
// What else there is in these files is for the program itself.
#[allow(dead_code)]
#[path = "../../../../crates/tcp-server/src"]
mod tcp_server {
    pub mod cli;
    mod limits;
}

#[allow(dead_code)]
#[path = "../../../../crates/tcp-client/src"]
mod tcp_client {
    pub mod cli;
}

#[allow(dead_code)]
#[path = "../../../../crates/udp-server/src"]
mod udp_server {
    pub mod cli;
    mod limits;
}

#[allow(dead_code)]
#[path = "../../../../crates/udp-client/src"]
mod udp_client {
    pub mod cli;
}

/// A program, as its manual page has it.
pub struct Program {
    pub command: Command,
    pub guide: Guide,
    /// What it does, and how.
    pub description: &'static [&'static str],
    /// What signals do.
    pub signals: &'static str,
    /// What a variable of the environment changes.
    pub environment: &'static [(&'static str, &'static str)],
    /// The pages of others that a reader may want.
    pub see_also: Vec<(&'static str, &'static str)>,
}

impl Program {
    pub fn name(&self) -> &str {
        self.command.get_name()
    }
}

/// How the programs are called.
pub const NAMES: [&str; 4] = ["tcp-server", "tcp-client", "udp-server", "udp-client"];

/// What the pages of both servers have alike, or those of both clients.
struct Side {
    signals: &'static str,
    environment: &'static [(&'static str, &'static str)],
    see_also: &'static [(&'static str, &'static str)],
}

const SERVER: Side = Side {
    signals: words::SERVER_SIGNALS,
    environment: words::SERVER_ENVIRONMENT,
    see_also: &[("nc", "1"), ("systemd-socket-activate", "1"), ("systemd.socket", "5")],
};

const CLIENT: Side = Side {
    signals: words::CLIENT_SIGNALS,
    environment: words::CLIENT_ENVIRONMENT,
    see_also: &[("nc", "1"), ("ping", "8"), ("traceroute", "8")],
};

/// The four programs.
pub fn all() -> [Program; 4] {
    [
        program::<tcp_server::cli::Options>(
            "tcp-server",
            tcp_server::cli::GUIDE,
            words::TCP_SERVER,
            SERVER,
        ),
        program::<tcp_client::cli::Options>(
            "tcp-client",
            tcp_client::cli::GUIDE,
            words::TCP_CLIENT,
            CLIENT,
        ),
        program::<udp_server::cli::Options>(
            "udp-server",
            udp_server::cli::GUIDE,
            words::UDP_SERVER,
            SERVER,
        ),
        program::<udp_client::cli::Options>(
            "udp-client",
            udp_client::cli::GUIDE,
            words::UDP_CLIENT,
            CLIENT,
        ),
    ]
}

fn program<T: CommandFactory>(
    name: &'static str,
    guide: Guide,
    description: &'static [&'static str],
    side: Side,
) -> Program {
    let Side { signals, environment, see_also } = side;
    let protocol = match guide.transport {
        Transport::Tcp => ("tcp", "7"),
        Transport::Udp => ("udp", "7"),
    };
    Program {
        command: T::command().name(name),
        guide,
        description,
        signals,
        environment,
        see_also: [see_also, &[protocol]].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_are_their_names() {
        assert_eq!(all().map(|program| program.name().to_owned()), NAMES);
    }

    #[test]
    fn every_option_says_what_it_does() {
        for program in all() {
            let mut command = program.command;
            command.build();
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{} {}", command.get_name(), arg.get_id());
            }
        }
    }
}
