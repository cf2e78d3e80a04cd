//! The units of systemd that `packaging` has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::peers::peer;
use super::program::run_command;

/// The service of a server, and the socket that starts it.
#[derive(Debug)]
pub struct Unit {
    /// What systemd finds wrong with them.
    pub wrong: String,
    /// The options with which the service starts the server.
    pub options: Vec<String>,
    /// What systemd-socket-activate has to be told to make such a socket.
    pub activation: &'static [&'static str],
}

impl Unit {
    /// The units of `program`. `None` if systemd's tool is missing: then the test is reported as
    /// skipped.
    #[must_use]
    pub fn verified(program: &str) -> Option<Self> {
        let verify = peer("systemd-analyze", "systemd-analyze --version")?;
        let program = Path::new(program);
        let name = program.file_name()?.to_str()?;
        let packaging = [env!("CARGO_MANIFEST_DIR"), "..", "..", "packaging", "systemd"];
        let packaging = packaging.iter().collect::<PathBuf>();
        let read = |kind| {
            let file = format!("{name}.{kind}");
            let text = fs::read_to_string(packaging.join(&file)).expect("there is a unit");
            (file, text)
        };
        let (service, socket) = (read("service"), read("socket"));
        let started = service.1.lines().find_map(|line| line.strip_prefix("ExecStart="));
        let mut words = started.expect("it starts something").split(' ').map(str::to_owned);
        // systemd looks for it in /usr/local/bin and in /usr/bin.
        assert_eq!(words.next().as_deref(), Some(name));
        let is_datagram = socket.1.lines().any(|line| line.starts_with("ListenDatagram="));
        let here = format!("\nExecStart={} ", program.display());
        let here = service.1.replace(&format!("\nExecStart={name} "), &here);
        Some(Self {
            wrong: complaints(verify, &[(service.0, here), socket]),
            options: words.collect(),
            activation: if is_datagram { &["--datagram"] } else { &[] },
        })
    }
}

/// What `verify` says of units, which are given as file name and text.
fn complaints(mut verify: Command, units: &[(String, String)]) -> String {
    let folder = std::env::temp_dir().join(format!("getthrough-unit-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    verify.args(["verify", "--man=no"]);
    for (file, text) in units {
        let copy = folder.join(file);
        fs::write(&copy, text).expect("the folder can be written to");
        verify.arg(copy);
    }
    let verified = run_command(verify, b"");
    let _ = fs::remove_dir_all(&folder);
    verified.stdout + &verified.stderr
}
