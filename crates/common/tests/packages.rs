//! What the packages say of themselves, and how README installs them.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

const PROGRAMS: [&str; 4] = ["tcp-server", "tcp-client", "udp-server", "udp-client"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn every_package_says_whose_it_is_and_what_for() {
    let workspace = read("Cargo.toml");
    let shared = workspace.split("[workspace.package]").nth(1).unwrap();
    let shared = shared.split("\n[").next().unwrap();
    for field in [
        "authors",
        "categories",
        "edition",
        "keywords",
        "license",
        "repository",
        "rust-version",
        "version",
    ] {
        assert!(shared.contains(&format!("\n{field} = ")), "{field}");
        for package in PROGRAMS.into_iter().chain(["common"]) {
            let manifest = read(&format!("crates/{package}/Cargo.toml"));
            assert!(
                manifest.contains(&format!("\n{field}.workspace = true\n")),
                "{package} {field}"
            );
            assert!(manifest.contains("\ndescription = \""), "{package}");
        }
    }
}

#[test]
fn readme_installs_each_program_before_it_calls_one_by_name() {
    let readme = read("README.md");
    let install = readme.split("\n## Install\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let each = format!("for program in {}; do cargo install --locked", PROGRAMS.join(" "));
    assert!(install.contains(&format!("{each} --path crates/$program; done")));
    for program in PROGRAMS {
        assert!(root().join("crates").join(program).join("Cargo.toml").exists(), "{program}");
    }
}

#[test]
fn readme_names_this_version() {
    let workspace = read("Cargo.toml");
    let version = field(&workspace, "version");
    let readme = read("README.md");
    for file in ["getthrough-", "getthrough_"] {
        for named in
            readme.split(file).skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            assert!(named.starts_with(version), "{file}{}", named.lines().next().unwrap());
        }
    }
    let compiler = field(&workspace, "rust-version");
    assert!(readme.contains(&format!("(https://rustup.rs) ({compiler} or later")));
}

/// The value of a field of the workspace's packages.
fn field<'t>(workspace: &'t str, name: &str) -> &'t str {
    let rest = workspace.split(&format!("\n{name} = \"")).nth(1).unwrap();
    rest.split('"').next().unwrap()
}
