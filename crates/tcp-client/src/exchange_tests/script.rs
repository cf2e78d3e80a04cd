//! A script in place of a socket.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use common::probe::outcome::icmp::IcmpError;
use common::stream::Stream;

use crate::silence::Figures;
use crate::stream::Connecting;

/// What the socket answers to each call, in order. Afterwards it is connected, sends
/// everything, and has nothing to receive.
#[derive(Debug, Default)]
pub struct Script {
    pub connects: VecDeque<Result<bool, ErrorKind>>,
    pub sends: VecDeque<Result<usize, ErrorKind>>,
    pub ends: VecDeque<Result<(), ErrorKind>>,
    pub receives: VecDeque<Result<&'static [u8], ErrorKind>>,
    pub sent: Vec<u8>,
    pub held_back: bool,
    pub ended: bool,
    pub icmp: Option<IcmpError>,
    /// What the kernel knows of the connection.
    pub figures: Option<Figures>,
    /// Whether the connection stands after an error.
    pub still_stands: bool,
}

impl Connecting for Script {
    fn is_connected(&mut self) -> io::Result<bool> {
        Ok(self.connects.pop_front().unwrap_or(Ok(true))?)
    }

    fn is_own_peer(&self) -> bool {
        false
    }

    fn has_error_queue(&self) -> bool {
        true
    }

    fn icmp_error(&self) -> Option<IcmpError> {
        self.icmp
    }

    fn is_passing(&mut self) -> bool {
        self.still_stands
    }

    fn figures(&self) -> Option<Figures> {
        self.figures
    }
}

impl Stream for Script {
    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held_back = true;
        self.send(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.ends.pop_front().unwrap_or(Ok(()))?;
        self.ended = true;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.sends.pop_front().unwrap_or(Ok(bytes.len()))?.min(bytes.len());
        self.sent.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.receives.pop_front().unwrap_or(Err(ErrorKind::WouldBlock))?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}
