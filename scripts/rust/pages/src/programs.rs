//! The four programs: their command lines, and what only a manual page says of them.

use clap::{Command, CommandFactory};
use common::options::guide::Guide;

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
    pub see_also: &'static [(&'static str, &'static str)],
}

impl Program {
    pub fn name(&self) -> &str {
        self.command.get_name()
    }
}

/// How the programs are called.
pub const NAMES: [&str; 4] = ["tcp-server", "tcp-client", "udp-server", "udp-client"];

/// The four programs.
pub fn all() -> [Program; 4] {
    [
        Program {
            command: tcp_server::cli::Options::command().name("tcp-server"),
            guide: tcp_server::cli::GUIDE,
            description: words::TCP_SERVER,
            signals: words::SERVER_SIGNALS,
            environment: words::SERVER_ENVIRONMENT,
            see_also: &[
                ("nc", "1"),
                ("systemd-socket-activate", "1"),
                ("systemd.socket", "5"),
                ("tcp", "7"),
            ],
        },
        Program {
            command: tcp_client::cli::Options::command().name("tcp-client"),
            guide: tcp_client::cli::GUIDE,
            description: words::TCP_CLIENT,
            signals: words::CLIENT_SIGNALS,
            environment: words::CLIENT_ENVIRONMENT,
            see_also: &[("nc", "1"), ("ping", "8"), ("traceroute", "8"), ("tcp", "7")],
        },
        Program {
            command: udp_server::cli::Options::command().name("udp-server"),
            guide: udp_server::cli::GUIDE,
            description: words::UDP_SERVER,
            signals: words::SERVER_SIGNALS,
            environment: words::SERVER_ENVIRONMENT,
            see_also: &[
                ("nc", "1"),
                ("systemd-socket-activate", "1"),
                ("systemd.socket", "5"),
                ("udp", "7"),
            ],
        },
        Program {
            command: udp_client::cli::Options::command().name("udp-client"),
            guide: udp_client::cli::GUIDE,
            description: words::UDP_CLIENT,
            signals: words::CLIENT_SIGNALS,
            environment: words::CLIENT_ENVIRONMENT,
            see_also: &[("nc", "1"), ("ping", "8"), ("traceroute", "8"), ("udp", "7")],
        },
    ]
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
