//! The ICMP errors that came back for what a socket sent, as the kernel queues them:
//! ip(7), ipv6(7), `IP_RECVERR`.
//!
//! Without this queue an unconnected UDP socket gets no ICMP errors, and no socket
//! learns who sent one.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use crate::probe::control::Control;
use crate::probe::extras::{self, Extra};
use crate::probe::outcome::icmp::{IcmpError, Version};

/// Makes the kernel queue ICMP errors for `socket`, an IPv6 socket if `is_ipv6`. Returns whether
/// it does that.
pub fn enable(socket: &impl AsFd, is_ipv6: bool) -> bool {
    extras::have(Extra::ErrorQueue, set(socket, is_ipv6, true)).is_some()
}

/// Makes the kernel deal with ICMP errors by itself again.
///
/// # Errors
/// The system's.
pub fn disable(socket: &impl AsFd, is_ipv6: bool) -> io::Result<()> {
    Ok(set(socket, is_ipv6, false)?)
}

fn set(socket: &impl AsFd, is_ipv6: bool, is_on: bool) -> nix::Result<()> {
    if is_ipv6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &is_on)
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &is_on)
    }
}

/// Takes the next ICMP error from the queue; `None` if there is none. The queue also
/// holds errors that this machine found itself. They are skipped: the call that failed
/// has returned them. Taking the last ICMP error also clears the socket's `SO_ERROR`.
pub fn next(socket: &impl AsFd) -> Option<IcmpError> {
    loop {
        // The datagram comes back with the error; it is not needed.
        let mut nothing = [IoSliceMut::new(&mut [])];
        let mut control = Control::new();
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = socket.as_fd().as_raw_fd();
        let queued =
            recvmsg::<SockaddrStorage>(fd, &mut nothing, Some(control.room()), flags).ok()?;
        if let Some(error) = queued.cmsgs().ok()?.find_map(as_icmp) {
            return Some(error);
        }
    }
}

fn as_icmp(message: ControlMessageOwned) -> Option<IcmpError> {
    let (error, router) = match message {
        ControlMessageOwned::Ipv4RecvErr(error, router) => {
            let ip =
                |router: libc::sockaddr_in| Ipv4Addr::from(u32::from_be(router.sin_addr.s_addr));
            (error, router.map(|router| IpAddr::V4(ip(router))))
        }
        ControlMessageOwned::Ipv6RecvErr(error, router) => {
            let ip = |router: libc::sockaddr_in6| router.sin6_addr.s6_addr.into();
            (error, router.map(|router| IpAddr::V6(ip(router)).to_canonical()))
        }
        _ => return None,
    };
    let version = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => Version::V4,
        libc::SO_EE_ORIGIN_ICMP6 => Version::V6,
        _ => return None,
    };
    let (kind, code) = (error.ee_type, error.ee_code);
    let unnamed = IcmpError { version, kind, code, router, mtu: None };
    // Of other errors it means something else. A router of before RFC 1191 says zero.
    let mtu = Some(error.ee_info).filter(|mtu| unnamed.is_too_large() && *mtu > 0);
    Some(IcmpError { mtu, ..unnamed })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::probe::arrival;

    #[test]
    fn an_error_names_its_sender_also_if_it_is_stamped() {
        for (own, version) in [("127.0.0.1:0", Version::V4), ("[::1]:0", Version::V6)] {
            let (socket, closed) = (UdpSocket::bind(own).unwrap(), UdpSocket::bind(own).unwrap());
            let address = closed.local_addr().unwrap();
            assert!(enable(&socket, address.is_ipv6()));
            arrival::enable(&socket);
            drop(closed);
            socket.send_to(b"hello", address).unwrap();
            let error = next(&socket).unwrap();
            assert_eq!((error.version, error.router), (version, Some(address.ip())));
        }
    }
}
