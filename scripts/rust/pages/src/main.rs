//! Writes the manual pages and the shell completions of the four programs.
//!
//! usage: `pages DIR`
//!
//! They come from the same definitions as `--help`: the `cli.rs` of each program is compiled here,
//! too. So the programs themselves carry no generator.
//!
//! `DIR` gets `man/man1/PROGRAM.1` and `completions/{bash,zsh,fish}`. The pages have the day of
//! `SOURCE_DATE_EPOCH`, and no day without it: whoever writes them again gets the same bytes.

mod completions;
mod entries;
mod manual;
mod programs;
mod values;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use crate::programs::Program;

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let (Some(folder), None) = (words.next(), words.next()) else {
        return fail("usage: pages DIR");
    };
    let epoch = env::var_os("SOURCE_DATE_EPOCH").map(|epoch| epoch.to_string_lossy().into_owned());
    for program in programs::all() {
        if let Err(reason) = write(&program, epoch.as_deref(), Path::new(&folder)) {
            return fail(&format!("{}: {reason}", program.name()));
        }
    }
    ExitCode::SUCCESS
}

fn write(program: &Program, epoch: Option<&str>, folder: &Path) -> Result<(), String> {
    let manuals = folder.join("man/man1");
    let page = manual::page(program, epoch)?;
    save(&manuals, &format!("{}.1", program.name()), page.as_bytes())?;
    for completion in completions::all(program)? {
        let shell = folder.join("completions").join(completion.folder);
        save(&shell, &completion.file, completion.script.as_bytes())?;
    }
    Ok(())
}

fn save(folder: &Path, file: &str, content: &[u8]) -> Result<(), String> {
    let saved = |folder: &Path| -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(file), content)
    };
    saved(folder).map_err(|error| format!("{}: {error}", folder.join(file).display()))
}

// A program for developers, without a transcript.
#[allow(clippy::print_stderr)]
fn fail(reason: &str) -> ExitCode {
    eprintln!("pages: {reason}");
    ExitCode::from(2)
}
