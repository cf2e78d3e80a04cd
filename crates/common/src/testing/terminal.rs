//! A terminal, and the user who sits at it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::pty::{OpenptyResult, Winsize, openpty};

use super::reaped::{PATIENCE, Reaped};

/// A program whose standard input, output and error are a terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Reaped,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// Starts `command` on a new terminal.
    pub fn start(command: Command) -> Self {
        Self::start_on(openpty(None, None).expect("a terminal"), command, None)
    }

    /// Starts `command` on a new terminal with so many `columns`.
    pub fn start_wide(columns: u16, command: Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Self::start_on(openpty(Some(&size), None).expect("a terminal"), command, None)
    }

    /// Starts `command` on a new terminal, but with this standard output.
    pub fn start_with(stdout: Stdio, command: Command) -> Self {
        Self::start_on(openpty(None, None).expect("a terminal"), command, Some(stdout))
    }

    fn start_on(pair: OpenptyResult, mut command: Command, stdout: Option<Stdio>) -> Self {
        let side = || pair.slave.try_clone().expect("a descriptor");
        command.stdin(side()).stdout(stdout.unwrap_or_else(|| side().into())).stderr(side());
        let child = Reaped::spawn(command);
        let keyboard = File::from(pair.master);
        let mut output = keyboard.try_clone().expect("a descriptor");
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // Reading fails once no process has the other side open.
            while let Ok(len @ 1..) = output.read(&mut piece) {
                let _ = sender.send(piece[..len].to_vec());
            }
        });
        Self { child, keyboard, screen, seen: String::new() }
    }

    /// Types `keys`.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits until the screen shows `text` after the last text that was waited for. Returns
    /// what the screen shows between the two, and `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(piece) => self.seen += &String::from_utf8_lossy(&piece),
                Err(_) => panic!("no {text:?} in {:?}", self.seen),
            }
        }
    }

    /// Waits for the program's end. Returns its exit status, and what the screen shows after
    /// the last text that was waited for.
    pub fn finish(mut self) -> (Option<i32>, String) {
        while let Ok(piece) = self.screen.recv_timeout(PATIENCE) {
            self.seen += &String::from_utf8_lossy(&piece);
        }
        (self.child.wait(), self.seen.clone())
    }
}
