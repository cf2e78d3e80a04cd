//! A socket that does as it is told.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use common::stream::Stream;

/// The results of the socket's calls, in order. After these, a receive blocks and a send
/// takes everything.
#[derive(Debug, Default)]
pub struct Script {
    pub inbound: VecDeque<Result<usize, ErrorKind>>,
    pub outbound: VecDeque<Result<usize, ErrorKind>>,
    /// Errors of `end`, which then succeeds.
    pub end_errors: VecDeque<ErrorKind>,
    pub sent: Vec<u8>,
    /// Whether anything was sent that the kernel holds back until the end.
    pub held_back: bool,
    pub ended: bool,
}

impl Stream for Script {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inbound.pop_front() {
            None => Err(ErrorKind::WouldBlock.into()),
            Some(Err(kind)) => Err(kind.into()),
            Some(Ok(len)) => {
                let taken = len.min(buffer.len());
                buffer[..taken].fill(b'm');
                if taken < len {
                    self.inbound.push_front(Ok(len - taken));
                }
                Ok(taken)
            }
        }
    }

    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held_back = true;
        self.send(bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.ended, "sent after the end");
        let len = match self.outbound.pop_front() {
            None => bytes.len(),
            Some(Err(kind)) => return Err(kind.into()),
            Some(Ok(len)) => len.min(bytes.len()),
        };
        self.sent.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(kind) = self.end_errors.pop_front() {
            return Err(kind.into());
        }
        self.ended = true;
        Ok(())
    }
}
