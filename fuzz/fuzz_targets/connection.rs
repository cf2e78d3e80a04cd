//! A connection's state machine on a socket that does anything at all, with events at
//! any time, even without a reason, registered for them or not.
//!
//! Each byte of the input is a result of the socket, or an event.

#![no_main]

// The target does not use everything that the server does.
#[allow(dead_code)]
#[path = "../../crates/tcp-server/src/connection.rs"]
mod connection;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use common::stream::Stream;
use libfuzzer_sys::fuzz_target;

use crate::connection::{Connection, Step, Terms};

/// Long enough that some results of the socket send only a piece of it.
const REPLY: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A socket whose results are the bytes of the input. After these it blocks.
struct Script<'a> {
    answers: std::slice::Iter<'a, u8>,
    sent: Vec<u8>,
    ended: bool,
}

impl Script<'_> {
    fn answer(&mut self, most: usize) -> io::Result<usize> {
        match self.answers.next() {
            None | Some(0) => Err(ErrorKind::WouldBlock.into()),
            Some(1) => Err(ErrorKind::Interrupted.into()),
            Some(2) => Err(ErrorKind::ConnectionReset.into()),
            Some(3) => Ok(0),
            Some(4) => Ok(most),
            Some(&len) => Ok(usize::from(len).min(most)),
        }
    }
}

impl Stream for Script<'_> {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answer(buffer.len())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.ended, "sent after the end");
        let len = self.answer(bytes.len())?;
        self.sent.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn send_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        assert!(!self.ended, "ended twice");
        self.answer(0)?;
        self.ended = true;
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, input)) = input.split_first() else {
        return;
    };
    let (events, answers) = input.split_at(input.len() / 2);
    let conversation = first % 2 == 1;
    let second = Duration::from_secs(1);
    let terms = Terms { read_timeout: 60 * second, linger: 2 * second, conversation };
    let script = Script { answers: answers.iter(), sent: Vec::new(), ended: false };
    let mut now = Instant::now();
    let mut connection = Connection::new(script, &terms, now);
    if first % 4 < 2 {
        connection.on_registered();
    }
    let (mut received, mut answered, mut concluded) = (0, 0, false);
    for event in events {
        match event % 4 {
            0 => now += second,
            1 => {
                connection.conclude(now + second);
                concluded = true;
            }
            event => connection.on_ready(event == 3),
        }
        if now >= connection.deadline() {
            return drop(connection.expire());
        }
        // Each step uses up a result, or is one of a few before the next that does.
        let mut steps_left = 4 * answers.len() + 10;
        loop {
            steps_left = steps_left.checked_sub(1).expect("it does not spin");
            match connection.step(&mut [0; 4096], &terms, now) {
                Step::Received(message) => {
                    assert!(message.len() <= 1024);
                    assert!(conversation || received == 0);
                    received += 1;
                    connection.answer(REPLY.into());
                }
                Step::Answered(bytes) => {
                    assert_eq!(bytes, REPLY.len());
                    answered += 1;
                }
                Step::Again => {}
                Step::WaitToReceive | Step::WaitToSend => break,
                Step::Ended(_) => return,
            }
            assert_eq!(connection.is_silent(), received == 0);
            let script = connection.stream_mut();
            assert!(answered <= received && received <= answered + 1);
            assert!(REPLY.repeat(received).starts_with(&script.sent), "{:?}", script.sent);
            assert!(script.sent.len() >= REPLY.len() * answered);
            assert!(!script.ended || (answered > 0 && answered == received), "ended too early");
            if !conversation || !concluded {
                assert_eq!(script.ended, answered > 0 && !conversation);
            }
        }
    }
});
