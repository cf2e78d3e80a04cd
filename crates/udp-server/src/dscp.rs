//! With which DSCP datagrams came: for `--witness`, which says so in its reply, and answers with
//! the same one.

/// The DSCP of a datagram (RFC 2474), if the kernel has said which: the DSCP and 1, or 0. It is
/// compared for each reply, and a byte is quickest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dscp(u8);

impl Dscp {
    /// The DSCP in a TOS or traffic class, whose lowest two bits are for ECN.
    pub fn of_class(class: u8) -> Self {
        Self((class >> 2) + 1)
    }

    /// The DSCP, if it is known.
    pub fn known(self) -> Option<u8> {
        self.0.checked_sub(1)
    }

    /// The TOS or traffic class of a reply, if it is not the usual one, 0.
    pub fn class(self) -> Option<u8> {
        self.known().filter(|dscp| *dscp > 0).map(|dscp| dscp << 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_not_zero_and_ecn_is_no_part_of_it() {
        for (class, known, to_send) in
            [(0, 0, None), (0b11, 0, None), (0xb8, 46, Some(0xb8)), (0xff, 63, Some(0xfc))]
        {
            let dscp = Dscp::of_class(class);
            assert_eq!((dscp.known(), dscp.class()), (Some(known), to_send));
        }
        assert_eq!((Dscp::default().known(), Dscp::default().class()), (None, None));
        assert_eq!(size_of::<Dscp>(), 1);
    }
}
