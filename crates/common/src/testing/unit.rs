//! The units of systemd that `packaging` has.

use std::fs;
use std::path::{Path, PathBuf};

use super::peers::peer;
use super::program::run_command;

/// Where the units expect the programs.
const INSTALLED: &str = "/usr/local/bin/";

/// What systemd finds wrong with the unit of `program`, and the options with which the unit starts
/// it. `None` if systemd's tool is missing: then the test is reported as skipped.
#[must_use]
pub fn verified_unit(program: &str) -> Option<(String, Vec<String>)> {
    let mut verify = peer("systemd-analyze", "systemd-analyze --version")?;
    let program = Path::new(program);
    let name = program.file_name()?.to_str()?;
    let packaging = [env!("CARGO_MANIFEST_DIR"), "..", "..", "packaging", "systemd"];
    let path = packaging.iter().collect::<PathBuf>().join(format!("{name}.service"));
    let unit = fs::read_to_string(&path).expect("there is a unit");
    let started = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
    let mut words = started.expect("it starts something").split(' ').map(str::to_owned);
    assert_eq!(words.next(), Some(format!("{INSTALLED}{name}")));
    // It is checked where the program is, and not where it would be installed.
    let folder = std::env::temp_dir().join(format!("getthrough-unit-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let copy = folder.join(format!("{name}.service"));
    let here = format!("{}/", program.parent()?.display());
    fs::write(&copy, unit.replace(INSTALLED, &here)).expect("the folder can be written to");
    verify.args(["verify", "--man=no"]).arg(&copy);
    let verified = run_command(verify, b"");
    let _ = fs::remove_dir_all(&folder);
    Some((verified.stdout + &verified.stderr, words.collect()))
}
