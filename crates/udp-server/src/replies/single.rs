//! One reply alone: what most are, and what is left to do where a call for many stops.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::Error as Errno;
use nix::sys::socket::{MsgFlags, sendmsg, sendto};

use crate::batch::Asked;
use crate::family::Address;
use crate::headers::with_control;
use crate::socket::ServerSocket;

/// Sends one reply to `peer`.
pub fn send<A: Address>(
    socket: &ServerSocket,
    asked: Asked,
    peer: SocketAddr,
    reply: &[u8],
) -> Result<(), Errno> {
    let peer = A::of(peer).ok_or(Errno::EAFNOSUPPORT)?;
    match send_as(socket, asked, peer, reply) {
        // The address that was asked is not this machine's own.
        Err(Errno::EINVAL | Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
            if asked.may_be_broadcast =>
        {
            send_as(socket, Asked { from: None, ..asked }, peer, reply)
        }
        sent => sent,
    }
}

fn send_as(
    socket: &ServerSocket,
    asked: Asked,
    peer: impl Address,
    reply: &[u8],
) -> Result<(), Errno> {
    let (fd, flags) = (socket.udp.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let contents = [IoSlice::new(reply)];
    loop {
        let sent = if asked.from.is_none() && asked.dscp.class().is_none() {
            sendto(fd, reply, &peer, flags)
        } else {
            let mut sent = Ok(0);
            with_control(asked, socket.is_ipv6, None, &mut |control| {
                sent = sendmsg(fd, &contents, control, flags, Some(&peer));
            });
            sent
        };
        match sent {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
