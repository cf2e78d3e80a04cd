//! Other programs that tests need, and what happens if one is missing.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// `program` without the part of the tests' environment that would change what it prints.
#[must_use]
pub fn quiet_command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG");
    command
}

/// A program of `scripts/python`. `None`, said loudly, if there is no Python 3.
pub fn python(script: &str, args: &[&str]) -> Option<Command> {
    let mut command = peer("python3", "python3 --version")?;
    let scripts = [env!("CARGO_MANIFEST_DIR"), "..", "..", "scripts", "python", script];
    command.arg("-u").arg(scripts.iter().collect::<PathBuf>()).args(args);
    Some(command)
}

/// Another program to talk to. `None`, said loudly, if this machine does not have it:
/// `probe` is a command that only has to be found.
pub fn peer(program: &str, probe: &str) -> Option<Command> {
    let mut words = probe.split(' ');
    let mut found = Command::new(words.next().expect("a command"));
    found.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if found.status().is_ok() {
        return Some(quiet_command(program));
    }
    skipped(&format!("{program} is not installed"));
    None
}

/// Says that the running test is skipped, past the capturing of test output, so that it is
/// seen. With `GETTHROUGH_NO_SKIP` set, as in CI, the test fails instead.
pub fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("GETTHROUGH_NO_SKIP").is_none(), "{test} cannot run: {why}");
    let _ = io::stderr().write_all(format!("SKIPPED: {test}: {why}\n").as_bytes());
}
