//! The invariants of ARCHITECTURE.md that can be read off the source: who may import whom,
//! who may wait, and what state machines may not do.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "architecture/source.rs"]
mod source;

use source::{Crate, File};

const CRATES: [&str; 5] = ["common", "tcp-server", "tcp-client", "udp-server", "udp-client"];

/// The state machines, which are tested without sockets, or with scripted ones. `run` is one
/// too, but logs what came of each exchange.
const STATE_MACHINES: &[&str] = &[
    "tcp-server/src/connection.rs",
    "tcp-client/src/exchange.rs",
    "tcp-client/src/flows.rs",
    "udp-server/src/guard.rs",
    "udp-client/src/exchange.rs",
    "udp-client/src/ports.rs",
    "udp-client/src/ports/deadlines.rs",
    "udp-client/src/ports/ends.rs",
    "udp-client/src/ports/flows.rs",
    "udp-client/src/ports/slot.rs",
    "udp-client/src/source_port.rs",
    "common/src/probe/aim.rs",
    "common/src/probe/race.rs",
    "common/src/probe/ledger.rs",
    "common/src/probe/ledger/jitter.rs",
    "common/src/probe/ledger/outages.rs",
    "common/src/probe/ledger/succession.rs",
    "common/src/probe/ledger/buckets.rs",
    "common/src/probe/ledger/periods.rs",
    "common/src/probe/schedule.rs",
    "common/src/probe/examination.rs",
    "common/src/probe/trace.rs",
    "common/src/server/goal.rs",
];

fn crates() -> Vec<Crate> {
    CRATES.map(Crate::read).into()
}

#[test]
fn the_ground_imports_no_wing_and_no_wing_the_other() {
    let common = Crate::read("common");
    let wing = |module: &str| {
        ["server", "probe"].into_iter().find(|wing| module.split("::").next() == Some(wing))
    };
    for (from, to) in common.imports() {
        // lib.rs declares the wings; the harness of the tests stands beside the house.
        if let (Some(wing_of_to), false) = (wing(&to), from.is_empty()) {
            assert_eq!(wing(&from), Some(wing_of_to), "{from} imports {to}");
        }
    }
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for each in crates() {
        if let Some(circle) = each.circle() {
            panic!("{}: {}", each.name, circle.join(" imports "));
        }
    }
}

#[test]
fn only_event_loops_and_the_poller_name_poll() {
    let may_poll = |file: &File| {
        file.path.ends_with("/event_loop.rs") || file.path == "common/src/probe/poller.rs"
    };
    for file in crates().iter().flat_map(|each| &each.files) {
        let names_poll = file.imported().iter().any(|path| path == "mio::Poll");
        assert_eq!(names_poll, may_poll(file), "{}", file.path);
    }
}

#[test]
fn the_shutdown_names_no_more_of_mio_than_the_waker() {
    let common = Crate::read("common");
    let imported = common.file("server/shutdown.rs").imported();
    let of_mio: Vec<_> = imported.iter().filter(|path| path.starts_with("mio")).collect();
    assert_eq!(of_mio, ["mio::Waker"]);
}

#[test]
fn state_machines_read_no_clock_write_no_log_and_make_no_loop() {
    let crates = crates();
    for path in STATE_MACHINES {
        let files = crates.iter().flat_map(|each| &each.files);
        let file = files.into_iter().find(|file| file.path == *path).expect(path);
        for forbidden in ["::now()", ".elapsed()", "log::", "println!", "sleep(", "std::fs"] {
            assert!(!file.code.contains(forbidden), "{path}: {forbidden}");
        }
        let is_loop = |line: &str| ["for ", "while ", "loop "].iter().any(|l| line.starts_with(l));
        let a_loop = file.code.lines().map(str::trim_start).find(|line| is_loop(line));
        assert_eq!(a_loop, None, "{path}");
    }
}

#[test]
fn the_ground_keeps_no_state_of_the_process() {
    for file in Crate::read("common").files {
        // Which signals are blocked, and what the system lacks, is the process's own state.
        let is_static = |line: &str| line.trim_start_matches("pub ").starts_with("static ");
        let statics = file.code.lines().filter(|line| is_static(line)).count();
        let may_have = ["common/src/probe/interrupt.rs", "common/src/probe/extras.rs"];
        let most = usize::from(may_have.contains(&file.path.as_str()));
        assert!(statics <= most, "{}", file.path);
    }
}
