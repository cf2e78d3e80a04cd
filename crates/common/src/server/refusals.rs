//! System calls that are refused for good, as in a sandbox: a server that cannot receive would
//! be deaf, and must not go on as if nobody came.

use std::io;

use nix::Error as Errno;

/// After so many refusals in a row a call counts as forbidden for good: a single one may
/// concern one peer alone (accept(2): a firewall's rule). For a listener or a UDP socket, which
/// rests after each, that is some 5 s.
const MOST: u32 = 8;

/// The refusals of one call so far, with no success between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    in_a_row: u32,
    last: Option<Errno>,
}

impl Refusals {
    /// Notes that the call failed with `error`. Returns whether it is refused for good: the
    /// system lacks it, or has refused it again and again.
    #[must_use]
    pub fn are_for_good(&mut self, error: &io::Error) -> bool {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
        let is_refusal = matches!(
            errno,
            Errno::ENOSYS
                | Errno::EPERM
                | Errno::EACCES
                // Want of anything causes none of these, nor do peers: what an ICMP error turns
                // into EOPNOTSUPP stays a soft error of a connection, tcp(7).
                | Errno::EOPNOTSUPP
                | Errno::EINVAL
                | Errno::EFAULT
        );
        if is_refusal {
            self.in_a_row += 1;
            self.last = Some(errno);
        }
        self.last == Some(Errno::ENOSYS) || self.in_a_row >= MOST
    }

    /// Notes that the call is not refused.
    pub fn end(&mut self) {
        *self = Self::default();
    }

    /// Why the call is refused, if it was when it was last made. A run that ends like this has
    /// not heard its peers.
    #[must_use]
    pub fn under_way(&self) -> Option<io::Error> {
        self.last.map(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_refused_at_once_and_what_is_forbidden_in_the_end() {
        let mut refusals = Refusals::default();
        assert!(refusals.are_for_good(&Errno::ENOSYS.into()));
        for errno in [Errno::EPERM, Errno::EACCES, Errno::EINVAL] {
            refusals.end();
            for _ in 1..MOST {
                assert!(!refusals.are_for_good(&errno.into()));
                // An error of another kind says nothing.
                assert!(!refusals.are_for_good(&Errno::ENOMEM.into()));
                assert_eq!(refusals.under_way().unwrap().raw_os_error(), Some(errno as i32));
            }
            assert!(refusals.are_for_good(&errno.into()));
        }
        refusals.end();
        assert!(refusals.under_way().is_none());
        assert!(!refusals.are_for_good(&Errno::EPERM.into()));
    }
}
