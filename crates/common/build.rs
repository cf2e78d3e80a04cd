//! Links the unwinder into the programs: libgcc_eh.a, in place of libgcc_s.so.1.
//!
//! The standard library needs one for its backtraces. The shared one is a tenth of a program's
//! start: it is one more library to load, and it asks the processor what it can do, which takes
//! some 10 us a question on a virtual machine. It is also 200 KB that a program keeps resident,
//! whereas the part that is linked is 25 KB.
//!
//! Where there is no libgcc_eh.a, or another linker is asked for, the shared one stays.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let archive = if is_native_gnu() { archive() } else { None };
    if let Some(directory) = archive.as_deref().and_then(Path::parent) {
        println!("cargo::rustc-link-search=native={}", directory.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// musl has an unwinder of its own, and another machine's archive is not found by cc.
fn is_native_gnu() -> bool {
    let is = |name, value| env::var(name).is_ok_and(|it| it == value);
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && env::var("HOST").ok() == env::var("TARGET").ok()
}

/// The archive, if the C compiler that links knows it: it repeats the name if not.
fn archive() -> Option<PathBuf> {
    let asked = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim_end());
    path.is_absolute().then_some(path)
}
