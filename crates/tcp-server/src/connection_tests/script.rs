//! A socket that does as it is told, and connections on it.

use super::super::*;
use std::collections::VecDeque;

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

pub const PEER_ENDS: Result<usize, ErrorKind> = Ok(0);
pub const BLOCKS: Result<usize, ErrorKind> = Err(ErrorKind::WouldBlock);
pub const RESET: Result<usize, ErrorKind> = Err(ErrorKind::ConnectionReset);

/// A connection that is registered: it waits for events.
pub fn connection(
    inbound: impl IntoIterator<Item = Result<usize, ErrorKind>>,
    outbound: impl IntoIterator<Item = Result<usize, ErrorKind>>,
    now: Instant,
) -> Connection<Script> {
    let mut connection = accepted(inbound, outbound, now);
    connection.on_registered();
    connection
}

/// A connection that was just accepted.
pub fn accepted(
    inbound: impl IntoIterator<Item = Result<usize, ErrorKind>>,
    outbound: impl IntoIterator<Item = Result<usize, ErrorKind>>,
    now: Instant,
) -> Connection<Script> {
    let script = Script {
        inbound: inbound.into_iter().collect(),
        outbound: outbound.into_iter().collect(),
        ..Script::default()
    };
    Connection::new(script, &TERMS, now)
}

pub const TERMS: Terms = Terms {
    read_timeout: Duration::from_secs(60),
    linger: Duration::from_secs(2),
    conversation: false,
};

/// The same connection, as a conversation.
pub fn conversing(mut connection: Connection<Script>) -> Connection<Script> {
    connection.is_conversation = true;
    connection
}

/// More steps than any script here can cause.
pub const MOST_STEPS: usize = 100;

/// Steps until there is nothing to do. Returns what came of the steps, in words.
pub fn turn(connection: &mut Connection<Script>, now: Instant) -> Vec<String> {
    let mut buffer = vec![0; 4096];
    let mut words = Vec::new();
    while words.len() < MOST_STEPS {
        match connection.step(&mut buffer, &TERMS, now) {
            Step::Received(message) => {
                words.push(format!("received {}", message.len()));
                connection.answer(Arc::from(*b"ACK!"));
            }
            Step::Again => words.push("again".to_owned()),
            Step::Answered(bytes) => {
                assert_eq!(bytes, 4);
                words.push("answered".to_owned());
            }
            Step::WaitToReceive => return words,
            Step::WaitToSend => {
                words.push("wait to send".to_owned());
                return words;
            }
            Step::Ended(End::Done) => {
                words.push("ended".to_owned());
                return words;
            }
            Step::Ended(end) => {
                words.push(format!("{end:?}"));
                return words;
            }
        }
    }
    panic!("spins: {connection:?}");
}
