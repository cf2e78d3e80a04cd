//! The sockets that a service manager passes: `LISTEN_FDS`, sd_listen_fds(3).
//!
//! What the environment says is checked before it is believed, for whoever owns a descriptor
//! closes it in the end: one that is not there, or that is somebody else's, must not be taken.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process;

use listenfd::ListenFd;
use nix::libc;

use crate::exit::{Failure, reason};
use crate::printable::printable;

/// The most sockets that are taken over: many more than anybody passes, and so few that
/// their numbers are no burden. More is a mistake.
const MOST: usize = 1024;

/// Where the descriptors begin (`SD_LISTEN_FDS_START`). Those before are the standard ones.
const FIRST: usize = 3;

/// Beyond any descriptor that a system gives out (`fs.nr_open` is at most 2^30).
const LAST: usize = 1 << 30;

/// What the environment says of passed sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Announced {
    first: usize,
    count: usize,
}

/// A socket that was passed.
#[derive(Debug)]
pub struct Passed {
    /// The socket.
    pub socket: OwnedFd,
    name: String,
}

impl Passed {
    /// The failure that the socket is of no use.
    pub fn unusable(&self, error: &io::Error) -> Failure {
        Failure::local(&self.name, reason(error))
    }
}

/// Takes the sockets that were passed to this process, which must be of the type `kind`, as in
/// socket(2); none if there are none. `words` are the same in words.
///
/// # Errors
/// Names the variable that cannot be, or the descriptor that is no such socket.
pub fn take(kind: libc::c_int, words: &str) -> Result<Vec<Passed>, Failure> {
    let Announced { first, count } = announced(|name| env::var_os(name), process::id())?;
    let mut passed = ListenFd::from_env();
    let mut take = |index| {
        let name = format!("LISTEN_FDS={count}, descriptor {}", first + index);
        match passed.take_custom::<OwnedFd>(index, libc::AF_INET, kind, words) {
            Ok(Some(socket)) => Ok(Passed { socket, name }),
            _ => Err(Failure::local(name, format_args!("not a {words}"))),
        }
    };
    (0..count).map(&mut take).collect()
}

/// Reads what the environment says to the process `id`.
fn announced(variable: impl Fn(&str) -> Option<OsString>, id: u32) -> Result<Announced, Failure> {
    let number = |name: &str, range: std::ops::RangeInclusive<usize>| {
        let Some(text) = variable(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let number = text.to_str().and_then(|text| text.parse().ok());
        let found: Option<usize> = number.filter(|number| range.contains(number));
        found.map(Some).ok_or_else(|| {
            let thing = format!("{name}={}", printable(text.as_encoded_bytes()));
            let (least, most) = (range.start(), range.end());
            Failure::local(thing, format!("not a number from {least} to {most}"))
        })
    };
    let nothing = Announced { first: FIRST, count: 0 };
    // Somebody else's variables: this process has inherited them by mistake.
    if number("LISTEN_PID", 1..=u32::MAX as usize)?.is_some_and(|pid| pid != id as usize) {
        return Ok(nothing);
    }
    let Some(count) = number("LISTEN_FDS", 0..=MOST)? else {
        return Ok(nothing);
    };
    let first = number("LISTEN_FDS_FIRST_FD", FIRST..=LAST)?.unwrap_or(FIRST);
    Ok(Announced { first, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Announced, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        announced(variable, 77).map_err(|failure| failure.to_string())
    }

    #[test]
    fn only_what_can_be_is_believed() {
        let of = |first, count| Ok(Announced { first, count });
        let fds = |value: &'static str| read(&[("LISTEN_FDS", value)]);
        assert_eq!(read(&[]), of(3, 0));
        assert_eq!(fds("2"), of(3, 2));
        assert_eq!(fds("0"), of(3, 0));
        assert_eq!(fds(""), of(3, 0));
        for wrong in ["-1", "x", " 1", "1025", "200000000", "2147483647", "4294967297", "1e3"] {
            let expected = format!("LISTEN_FDS={wrong}: not a number from 0 to 1024");
            assert_eq!(fds(wrong), Err(expected));
        }
        let both = |pid: &'static str| read(&[("LISTEN_FDS", "2"), ("LISTEN_PID", pid)]);
        assert_eq!(both("77"), of(3, 2));
        assert_eq!(both("78"), of(3, 0), "another process's");
        assert!(both("me").is_err());
        let from =
            |first: &'static str| read(&[("LISTEN_FDS", "2"), ("LISTEN_FDS_FIRST_FD", first)]);
        assert_eq!(from("7"), of(7, 2));
        assert!(from("1").is_err(), "standard output");
        assert!(from("2147483647").is_err());
    }
}
