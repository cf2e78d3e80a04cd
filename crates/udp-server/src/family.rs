//! Socket addresses as the system has them. All those of one socket are of one family, and so
//! of one size: a type that has room for any family has 128 bytes, which would be copied again and
//! again for each datagram.

use std::net::SocketAddr;

use nix::sys::socket::{SockaddrIn, SockaddrIn6, SockaddrLike};

/// The addresses of one family.
pub trait Address: SockaddrLike + Copy + Into<SocketAddr> {
    /// `address`, if it is of this family.
    fn of(address: SocketAddr) -> Option<Self>;
}

impl Address for SockaddrIn {
    fn of(address: SocketAddr) -> Option<Self> {
        match address {
            SocketAddr::V4(address) => Some(address.into()),
            SocketAddr::V6(_) => None,
        }
    }
}

impl Address for SockaddrIn6 {
    fn of(address: SocketAddr) -> Option<Self> {
        match address {
            SocketAddr::V4(_) => None,
            SocketAddr::V6(address) => Some(address.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_and_is_of_one_family() {
        for text in ["192.0.2.1:7000", "[2001:db8::1]:7000", "[fe80::1%2]:7000"] {
            let address: SocketAddr = text.parse().unwrap();
            let v4 = SockaddrIn::of(address).map(Into::into);
            let v6 = SockaddrIn6::of(address).map(Into::into);
            let expected =
                if address.is_ipv4() { (Some(address), None) } else { (None, Some(address)) };
            assert_eq!((v4, v6), expected);
        }
    }
}
