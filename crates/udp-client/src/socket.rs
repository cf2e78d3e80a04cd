//! The socket of a source port: the calls of an exchange, and when and to which address a
//! datagram came.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::Instant;

use common::probe::control::Control;
use common::probe::extras::{self, Extra};
use common::probe::outcome::icmp::IcmpError;
use common::probe::{arrival, error_queue};
use mio::event::Source;
use mio::net::UdpSocket;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::SockRef;

use crate::exchange::{Received, Socket};

/// The socket of a source port.
#[derive(Debug)]
pub struct PortSocket {
    socket: UdpSocket,
    /// The socket's own port.
    port: u16,
    /// Whether the kernel queues ICMP errors.
    has_error_queue: bool,
}

impl PortSocket {
    /// Takes a non-blocking socket that is bound to `port`, and makes the kernel say more about what
    /// comes: ICMP errors, and of each datagram the time and the address that it came to.
    ///
    /// A kernel that does not queue ICMP errors says of a connected socket alone that there was one.
    /// So the socket is then connected to `peer`, and hears nobody else.
    ///
    /// If it `hears_dscp`, the kernel says the DSCP, too.
    pub fn new(socket: net::UdpSocket, port: u16, peer: SocketAddr, hears_dscp: bool) -> Self {
        let has_error_queue = error_queue::enable(&socket, peer.is_ipv6());
        if !has_error_queue {
            // Otherwise silence is all that comes back.
            let _ = socket.connect(peer);
        }
        arrival::enable(&socket);
        let asked = if peer.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
        };
        extras::have(Extra::PacketInfo, asked);
        if hears_dscp {
            let asked = if peer.is_ipv6() {
                setsockopt(&socket, sockopt::Ipv6RecvTClass, &true)
            } else {
                setsockopt(&socket, sockopt::IpRecvTos, &true)
            };
            extras::have(Extra::ReceivedClass, asked);
        }
        Self { socket: UdpSocket::from_std(socket), port, has_error_queue }
    }

    /// Whether the kernel says who has sent an ICMP error.
    pub fn has_error_queue(&self) -> bool {
        self.has_error_queue
    }

    /// The socket's own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many hops what is sent from now on may take: ip(7), `IP_TTL`; ipv6(7),
    /// `IPV6_UNICAST_HOPS`.
    ///
    /// # Errors
    /// The system's.
    pub fn limit_hops(&self, hops: u8, is_ipv6: bool) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        if is_ipv6 {
            socket.set_unicast_hops_v6(hops.into())
        } else {
            socket.set_ttl_v4(hops.into())
        }
    }

    /// What the loop waits for.
    pub fn source(&mut self) -> &mut impl Source {
        &mut self.socket
    }
}

impl Socket for PortSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<Instant> {
        // Taken right before the call, because the reply's time begins here.
        let now = Instant::now();
        self.socket.send_to(datagram, peer).map(|_| now)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut control = Control::new();
        let mut into = [IoSliceMut::new(buffer)];
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        let datagram = recvmsg::<SockaddrStorage>(fd, &mut into, Some(control.room()), flags)?;
        let from = datagram.address.as_ref().and_then(address).ok_or(ErrorKind::InvalidData)?;
        let mut received =
            Received { len: datagram.bytes, from, to: None, stamp: None, dscp: None };
        // Without control messages the datagram is as good, and only less is known of it.
        for message in datagram.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::ScmTimestampns(stamp) => received.stamp = Some(stamp),
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                    received.to = Some((ip, self.port).into());
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    received.to = Some(end(&info, self.port).into());
                }
                ControlMessageOwned::Ipv4Tos(class) => received.dscp = Some(class >> 2),
                ControlMessageOwned::Ipv6TClass(class) => received.dscp = Some(class as u8 >> 2),
                _ => {}
            }
        }
        Ok(received)
    }

    fn peek(&self) -> io::Result<()> {
        self.socket.peek(&mut []).map(|_| ())
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        error_queue::next(&self.socket)
    }
}

fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    let v6 = || address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into()));
    v4().or_else(v6)
}

/// This machine's end of a datagram that came over IPv6. Only a link-local address needs to
/// have its link named.
fn end(info: &libc::in6_pktinfo, port: u16) -> SocketAddrV6 {
    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
    let link = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
    SocketAddrV6::new(ip, port, 0, link)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_datagram_comes_with_its_time_and_the_address_that_it_came_to() {
        for (bind, to, from) in [("0.0.0.0:0", "127.0.0.9", "127.0.0.1"), ("[::]:0", "::1", "::1")]
        {
            let socket = net::UdpSocket::bind(bind).unwrap();
            socket.set_nonblocking(true).unwrap();
            let port = socket.local_addr().unwrap().port();
            let to = SocketAddr::new(to.parse().unwrap(), port);
            let socket = PortSocket::new(socket, port, to, true);
            let peer = net::UdpSocket::bind((from, 0)).unwrap();
            peer.send_to(b"hello", to).unwrap();
            let mut buffer = [0; 64];
            // Over the loopback interface, a datagram that was sent has come.
            let received = socket.receive(&mut buffer).unwrap();
            assert_eq!(&buffer[..received.len], b"hello");
            assert_eq!((received.from, received.to), (peer.local_addr().unwrap(), Some(to)));
            assert_eq!(received.dscp, Some(0));
            let stamp = SystemTime::UNIX_EPOCH + Duration::from(received.stamp.unwrap());
            assert!(stamp.elapsed().unwrap() < Duration::from_secs(60));
            let nothing = socket.receive(&mut buffer).unwrap_err();
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        }
    }
}
