//! Other programs that tests need, and what happens if one is missing.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use nix::sys::signal::Signal;

use crate::signals;

/// A command that runs `program` without `RUST_LOG`, which would change what it prints, and
/// with no signal ignored: under nohup(1), in a background job of a script,
/// the tests have inherited some that are.
#[must_use]
pub fn quiet_command(program: &str) -> Command {
    let sent = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];
    let mut command = if sent.map(signals::is_ignored).contains(&Some(true)) {
        let mut env = Command::new("env");
        env.arg("--default-signal").arg(program);
        env
    } else {
        Command::new(program)
    };
    command.env_remove("RUST_LOG");
    command
}

/// A Python program in `scripts`. `None` if there is no Python 3: then the test is reported
/// as skipped.
pub fn python(script: &str, args: &[&str]) -> Option<Command> {
    let mut command = peer("python3", "python3 --version")?;
    let scripts = [env!("CARGO_MANIFEST_DIR"), "..", "..", "scripts", script];
    command.arg("-u").arg(scripts.iter().collect::<PathBuf>()).args(args);
    Some(command)
}

/// Another program to talk to. `None` if this machine does not have it, that is if the
/// command line `check` cannot be started: then the test is reported as skipped.
pub fn peer(program: &str, check: &str) -> Option<Command> {
    let mut words = check.split(' ');
    let mut found = Command::new(words.next().expect("a command"));
    found.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if found.status().is_ok() {
        return Some(quiet_command(program));
    }
    skipped(&format!("{program} is not installed"));
    None
}

/// Reports that the running test is skipped. The line is seen, because it goes straight to
/// standard error, where the output of tests is not captured. With `GETTHROUGH_NO_SKIP` set,
/// as in CI, the test fails instead.
pub fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("GETTHROUGH_NO_SKIP").is_none(), "{test} cannot run: {why}");
    let _ = io::stderr().write_all(format!("SKIPPED: {test}: {why}\n").as_bytes());
}
