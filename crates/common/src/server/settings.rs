//! The options of a server's sockets. A system, or a sandbox, may refuse any of them: the
//! server does without, and says so with `-v`.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt};
use nix::{libc, setsockopt_impl, sockopt_impl};

use crate::exit::reason;

sockopt_impl!(
    /// How many bytes have to be there before a socket is readable, socket(7).
    ReceiveLowWater,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    libc::c_int
);

/// The options of a socket that the system refused to set, and why.
#[derive(Debug, Default)]
pub struct Refused(Vec<(&'static str, String)>);

impl Refused {
    /// Notes that `option` was refused, if it was.
    pub fn note<E: Into<io::Error>>(&mut self, option: &'static str, set: Result<(), E>) {
        if let Err(error) = set {
            self.0.push((option, reason(&error.into())));
        }
    }

    /// The options, each with the reason.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(option, reason)| (*option, reason.as_str()))
    }

    /// Resets the options of a passed socket that would keep the server from hearing its
    /// peers, or from reaching them. An accepted connection inherits them.
    pub fn reset(&mut self, socket: &impl AsFd, is_ipv6: bool) {
        self.note("SO_RCVLOWAT", setsockopt(socket, ReceiveLowWater, &1));
        // What nobody takes from the error queue fills the receive buffer (ip(7)), and errors
        // that concern one peer would fail calls for others.
        self.note("IP_RECVERR", setsockopt(socket, sockopt::Ipv4RecvErr, &false));
        if is_ipv6 {
            self.note("IPV6_RECVERR", setsockopt(socket, sockopt::Ipv6RecvErr, &false));
        }
        self.note("SO_DONTROUTE", setsockopt(socket, sockopt::DontRoute, &false));
        let none = TimestampingFlag::empty();
        self.note("SO_TIMESTAMPING", setsockopt(socket, sockopt::Timestamping, &none));
    }
}
