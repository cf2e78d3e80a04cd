//! docs/learning.md, and the same in Chinese: what stands there of Python alone is run, and what
//! is named of our code exists. What is shown of our programs is run by the tests of each.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use common::testing::page::{run_sections, sections};

const PAGES: [&str; 2] = ["learning.md", "zh/learning.md"];

#[test]
fn the_experiments_show_what_is_printed() {
    assert_ne!(run_sections("learning.md", None), 0);
}

#[test]
fn each_section_is_run_by_the_tests_of_one_program() {
    for section in PAGES.into_iter().flat_map(sections) {
        assert!(section.programs().len() <= 1, "{}: {:?}", section.heading, section.programs());
        for block in &section.blocks {
            let is_known = ["console", "python", "text", "sh"].contains(&block.kind.as_str());
            assert!(is_known, "{}: a block of {:?}", section.heading, block.kind);
        }
    }
}

/// Of [`A::b`](path.rs) both are looked for in that file.
#[test]
fn what_is_named_of_our_code_is_where_the_link_leads() {
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
        let text = fs::read_to_string(&path).unwrap();
        let mut count = 0;
        for (before, after) in
            text.match_indices("](").map(|(at, _)| (&text[..at], &text[at + 2..]))
        {
            let target = after.split(')').next().unwrap();
            let Some(name) = before.strip_suffix('`').and_then(|rest| rest.rsplit('`').next())
            else {
                continue;
            };
            if target.ends_with(".rs") {
                let code = fs::read_to_string(path.parent().unwrap().join(target));
                let code = code.unwrap_or_else(|error| panic!("{page}: {target}: {error}"));
                let is_there = name.split("::").all(|part| has(&code, target, part));
                assert!(is_there, "{page}: no {name} in {target}");
                count += 1;
            }
        }
        assert!(count > 40, "{page}: {count} names");
    }
}

/// Whether `code` defines `name`, or has methods of it; or `name` is that of the file.
fn has(code: &str, path: &str, name: &str) -> bool {
    let defined = ["fn ", "struct ", "enum ", "trait ", "const ", "impl ", "for "];
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_defined = defined.iter().any(|keyword| {
        let wanted = format!("{keyword}{name}");
        code.match_indices(&wanted).any(|(at, _)| ends(&code[at + wanted.len()..]))
    });
    // impl<S: Stream> Connection<S>
    let has_methods =
        code.lines().any(|line| line.starts_with("impl<") && line.contains(&format!("> {name}<")));
    is_defined
        || has_methods
        || [format!("/{name}"), format!("/{name}.rs")].iter().any(|it| path.ends_with(it))
}
