//! What a program's `-h` and `--help` print: how wide, which options, which examples.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::peers::quiet_command;
use super::program::run_command;
use super::server::Server;
use super::terminal::Terminal;

/// What `program` prints with `option` (`-h`, `--help`) where `COLUMNS` says how wide the
/// terminal is.
#[must_use]
pub fn help(program: &str, option: &str, columns: usize) -> String {
    let mut command = quiet_command(program);
    command.arg(option).env("COLUMNS", columns.to_string());
    let ended = run_command(command, b"");
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

/// Asserts that the help of `program` fits terminals of several widths, and that no word is
/// broken on any.
pub fn assert_wraps(program: &str) {
    for option in ["-h", "--help"] {
        let wide = help(program, option, 1000);
        for columns in [100, 80, 60] {
            let text = help(program, option, columns);
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{columns} columns: {line}");
            }
            assert!(text.split_whitespace().eq(wide.split_whitespace()), "{columns}: {text}");
        }
        // Whoever reads it on a very wide terminal, or in a file, need not follow long lines.
        assert!(wide.lines().all(|line| line.chars().count() <= 100), "{wide}");
    }
    let [short, long] = ["-h", "--help"].map(|option| help(program, option, 80));
    assert!(short.lines().count() < long.lines().count(), "{short}");
    let mut terminal = Terminal::start_wide(70, {
        let mut command = quiet_command(program);
        command.arg("--help");
        command
    });
    let shown = terminal.wait_for("Documentation: ");
    assert!(shown.lines().all(|line| line.chars().count() <= 70), "{shown}");
    assert_eq!(terminal.finish().0, Some(0));
}

/// Asserts that `--help` of `program` and README's table have the same options, with the same
/// names of their values. `sorts` are the words for `program` in the table's second column.
pub fn assert_readme_has_the_options(program: &str, sorts: &[&str]) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).expect("README.md");
    let table = readme.split("\n| option | for | what it does |\n").nth(1).expect("the table");
    let mut in_readme = BTreeSet::new();
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let mut cells = row.split(" | ");
        let (options, sort) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
        if sorts.contains(&sort.trim_matches('`')) {
            let quoted = options.split('`').skip(1).step_by(2).filter(|text| text.starts_with('-'));
            in_readme.extend(quoted.map(str::to_owned));
        }
    }
    assert_eq!(options(&help(program, "--help", 80)), in_readme);
}

/// The options that a help text lists: `-l`, `--listen ADDR`.
fn options(help: &str) -> BTreeSet<String> {
    let list = help.split("\nOptions:\n").nth(1).expect("options");
    let lines = list.lines().take_while(|line| !line.is_empty()).map(str::trim_start);
    let mut found = BTreeSet::new();
    for line in lines.filter(|line| line.starts_with('-')) {
        let spec = line.split("  ").next().unwrap_or_default();
        found.extend(
            spec.split(", ").map(|option| option.replace("...", "").replace(['<', '>'], "")),
        );
    }
    found
}

/// The lines of `program --help` under `heading`.
#[must_use]
pub fn section(program: &str, heading: &str) -> Vec<String> {
    let text = help(program, "--help", 80);
    let lines = text.split(&format!("\n{heading}:\n")).nth(1).expect("the heading").lines();
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim_start().to_owned()).collect()
}

/// The examples of `program --help`, as words: without the program's name, which each begins
/// with, and without their comments.
#[must_use]
pub fn examples(program: &str) -> Vec<Vec<String>> {
    let name = Path::new(program).file_name().expect("a name").to_string_lossy();
    let words = |line: &String| {
        let command = line.split('#').next().and_then(|command| command.strip_prefix(&*name));
        command.expect("an example").split_whitespace().map(str::to_owned).collect()
    };
    section(program, "Examples").iter().map(words).collect()
}

/// The examples of a client, with `target` in the place of their host and port. `target` is
/// chosen by what the example expects.
pub fn examples_to(
    program: &str,
    target: impl Fn(&str) -> SocketAddr,
) -> impl Iterator<Item = Vec<String>> {
    examples(program).into_iter().map(move |words| {
        let at = words.iter().position(|word| word == "--expect");
        let expected = at.and_then(|at| words.get(at + 1)).map_or("ok", String::as_str);
        let is_place = |word: &&String| *word == "box" || word.parse::<u16>().is_ok();
        let options = words.iter().skip_while(is_place).cloned();
        [target(expected).to_string()].into_iter().chain(options).collect()
    })
}

/// Starts a server as each example has it, but on a port that the system chooses. `visit` is
/// to speak to it. It has to end by itself if the example has `--count`.
pub fn assert_examples_serve(program: &str, visit: impl Fn(SocketAddr)) {
    for mut words in examples(program) {
        match words.iter_mut().find(|word| word.starts_with(':')) {
            Some(address) => *address = ":0".to_owned(),
            None => words.extend(["--listen", "127.0.0.1:0"].map(str::to_owned)),
        }
        let mut command = quiet_command(program);
        command.args(&words);
        let server = Server::spawn(command, 1);
        visit(server.address());
        let counts = words.iter().any(|word| word == "--count");
        let (status, lines) = if counts { server.finish() } else { server.stop() };
        assert_eq!(status, Some(0), "{words:?}: {lines:?}");
    }
}
