//! A page for people who learn: its commands and programs are run as they stand there, and
//! have to print what stands there.
//!
//! - A `console` block has commands, each after `$ `, and what they print. If its program is a
//!   server, it runs until the next one, or to the end of the section, and is then ended as with
//!   Ctrl-C; what it prints after that stands behind `^C`.
//! - A `python` block is a program. The `text` block behind it is what that prints. If another
//!   server was started in between, the program runs again.
//! - `...` stands for anything. Of ports, only that of the server is compared.
//!
//! The page says `target/release/NAME` and port 6666. The test runs the program that cargo has
//! built, and a port that the system chooses. So a section may name one of our programs at most,
//! and is run by the tests of that one.

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::peers::{peer, quiet_command, skipped};
use super::program::run_command;
use super::server::Server;

const BUILT: &str = "target/release/";
const PORT: &str = "6666";

/// A part of the page: from one heading to the next.
#[derive(Debug, Default)]
pub struct Section {
    pub heading: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    pub kind: String,
    pub text: String,
}

/// The sections of a page of docs.
pub fn sections(page: &str) -> Vec<Section> {
    let text = fs::read_to_string(root().join("docs").join(page)).expect("the page");
    let mut sections = vec![Section::default()];
    let mut block: Option<Block> = None;
    for line in text.lines() {
        let last = sections.last_mut().expect("there is one");
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                block = Some(Block { kind: kind.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => last.blocks.extend(block.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) if line.starts_with('#') => {
                sections.push(Section { heading: line.to_owned(), blocks: Vec::new() });
            }
            (None, None) => {}
        }
    }
    sections
}

impl Section {
    /// Which of our programs its blocks name.
    pub fn programs(&self) -> BTreeSet<&str> {
        let runs = self.blocks.iter().filter(|block| ["console", "python"].contains(&&*block.kind));
        let named = runs.flat_map(|block| block.text.split(BUILT).skip(1));
        named.map(|rest| until(rest, |c| !c.is_alphanumeric() && c != '-')).collect()
    }

    fn is_run(&self) -> bool {
        self.blocks.iter().any(|block| ["console", "python"].contains(&&*block.kind))
    }

    fn needs_strace(&self) -> bool {
        self.blocks.iter().any(|block| block.text.contains("$ strace "))
    }
}

/// Runs the sections that name `program` (`name`, and where it was built), or that name none of
/// ours. Returns how many these are.
pub fn run_sections(page: &str, program: Option<(&str, &str)>) -> usize {
    if peer("python3", "python3 --version").is_none() {
        return usize::MAX;
    }
    let named: BTreeSet<&str> = program.iter().map(|(name, _)| *name).collect();
    let sections = sections(page);
    let ours = sections.iter().filter(|section| section.is_run() && section.programs() == named);
    let mut count = 0;
    for section in ours {
        count += 1;
        if section.needs_strace() && !may_trace() {
            skipped(&format!("{}: strace is not installed, or may not trace", section.heading));
            continue;
        }
        Scene { heading: &section.heading, program, server: None, python: None }.play(section);
    }
    count
}

fn may_trace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

/// A section that is being run.
struct Scene<'p> {
    heading: &'p str,
    program: Option<(&'p str, &'p str)>,
    /// The server that runs, and what it should print.
    server: Option<(Server, Vec<String>)>,
    /// The program that was run last, and what it has printed since the server was started.
    python: Option<(&'p str, Option<String>)>,
}

impl<'p> Scene<'p> {
    fn play(mut self, section: &'p Section) {
        for block in &section.blocks {
            match block.kind.as_str() {
                "console" if is_server(&block.text) => self.start(&block.text),
                "console" => commands(&block.text).for_each(|(command, expected)| {
                    let printed = self.run(&format!("{{ {command}; }} 2>&1"));
                    self.compare(command, &expected, &printed);
                }),
                "python" => self.python = Some((&block.text, Some(self.run_python(&block.text)))),
                "text" => self.compare_python(&block.text),
                _ => {}
            }
        }
        self.stop();
    }

    fn start(&mut self, text: &str) {
        self.stop();
        let (command, expected) = commands(text).next().expect("a command");
        let command = self.shell(&format!("exec {command} 2>&1"), "0");
        let server = Server::spawn(command, 1);
        if let Some((_, printed)) = &mut self.python {
            *printed = None;
        }
        self.server = Some((server, expected));
    }

    /// Ends the server as Ctrl-C does, once it has printed what it prints before that.
    fn stop(&mut self) {
        let Some((mut server, expected)) = self.server.take() else {
            return;
        };
        let mut printed = vec![format!("[*] Listening on {}", server.listening_on()[0])];
        let port = server.address().port().to_string();
        let before = expected.iter().take_while(|line| !line.starts_with("^C"));
        let before = before.take_while(|line| *line != "...").count();
        while printed.len() < before {
            printed.push(server.line());
        }
        server.signal(Signal::SIGINT);
        let (_, rest) = server.finish();
        printed.extend(rest);
        let printed = printed.join("\n").replace(&port, PORT);
        let expected: Vec<_> = expected.iter().map(|line| line.replacen("^C", "", 1)).collect();
        self.compare("the server", &expected, &printed);
    }

    fn run_python(&self, program: &str) -> String {
        let port = self.port();
        let mut command = quiet_command("sh");
        command.args(["-c", "exec python3 - 2>&1"]).current_dir(root());
        let ended = run_command(command, self.as_built(program, &port).as_bytes());
        assert_eq!(ended.status, Some(0), "{}: python3: {}", self.heading, ended.stdout);
        ended.stdout.replace(&port, PORT)
    }

    fn compare_python(&mut self, text: &str) {
        let Some((program, printed)) = self.python.take() else {
            return;
        };
        let printed = printed.unwrap_or_else(|| self.run_python(program));
        self.compare("python3", &lines(text), &printed);
        self.python = Some((program, Some(printed)));
    }

    fn run(&self, command: &str) -> String {
        let port = self.port();
        run_command(self.shell(command, &port), b"").stdout.replace(&port, PORT)
    }

    fn shell(&self, line: &str, port: &str) -> Command {
        let mut command = quiet_command("sh");
        command.arg("-c").arg(self.as_built(line, port)).current_dir(root());
        command
    }

    fn as_built(&self, text: &str, port: &str) -> String {
        let text = text.replace(PORT, port);
        match self.program {
            Some((name, path)) => text.replace(&format!("{BUILT}{name}"), path),
            None => text,
        }
    }

    /// The server's port, or one where nobody is.
    fn port(&self) -> String {
        let free = || UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let server = self.server.as_ref().map(|(server, _)| server.address());
        server.unwrap_or_else(|| free().expect("a port")).port().to_string()
    }

    fn compare(&self, what: &str, expected: &[String], printed: &str) {
        let printed = printed.lines().filter(|line| !asks_for_names(line));
        let printed: Vec<_> = printed.map(without_ports).collect();
        let expected: Vec<_> = expected.iter().map(|line| without_ports(line)).collect();
        let heading = self.heading;
        assert!(
            fit(&expected, &printed),
            "{heading}: {what}: expected {expected:#?}, but it is {printed:#?}"
        );
    }
}

fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The commands of a console block, each with the lines that it prints.
fn commands(text: &str) -> impl Iterator<Item = (&str, Vec<String>)> {
    text.split("$ ").skip(1).map(|part| {
        let (command, printed) = part.split_once('\n').expect("a line");
        (command, lines(printed))
    })
}

/// Whether strace shows here that libc asks the name services' cache. Python does so without
/// a HOME, and a shell without a SHELL: it depends on who runs the test.
fn asks_for_names(line: &str) -> bool {
    line.contains("(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, ")
        || line.contains("/nscd/socket")
}

fn is_server(text: &str) -> bool {
    let command = text.lines().next().unwrap_or_default();
    command.contains("-server ") || command.contains("_server.py ")
}

fn until(text: &str, end: impl Fn(char) -> bool) -> &str {
    &text[..text.find(end).unwrap_or(text.len())]
}

/// A line without the ports of its addresses, but for 6666.
fn without_ports(line: &str) -> String {
    let mut pieces = line.split(':');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = until(piece, |c| !c.is_ascii_digit());
        let is_port = digits.len() > 2 && digits != PORT;
        text += if is_port { ":N" } else { ":" };
        text += &piece[if is_port { digits.len() } else { 0 }..];
    }
    text
}

/// Whether lines were `printed` as `expected`, where `...` stands for anything.
fn fit(expected: &[String], printed: &[String]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "..." => {
            (0..=printed.len()).any(|skip| fit(rest, &printed[skip..]))
        }
        (Some((first, rest)), Some((line, others))) => line_fits(first, line) && fit(rest, others),
        _ => false,
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let Some((first, rest)) = expected.split_once("...") else {
        return expected == line;
    };
    let Some(left) = line.strip_prefix(first) else {
        return false;
    };
    (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| line_fits(rest, &left[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_dots_stand_for_anything_and_ports_for_each_other() {
        let owned = |text: &[&str]| text.iter().map(|line| without_ports(line)).collect::<Vec<_>>();
        for (expected, printed, fits) in [
            (&["a", "b"][..], &["a", "b"][..], true),
            (&["a"], &["a", "b"], false),
            (&["a", "b"], &["a"], false),
            (&["a", "..."], &["a"], true),
            (&["a", "...", "d"], &["a", "b", "c", "d"], true),
            (&["a", "...", "d"], &["a", "b", "c"], false),
            (&["x(...) = 0"], &["x(1, 2) = 0"], true),
            (&["x(...) = 0"], &["x(1, 2) = 10"], false),
            (&["from 127.0.0.1:6666"], &["from 127.0.0.1:6666"], true),
            (&["from 127.0.0.1:6666"], &["from 127.0.0.1:41234"], false),
            (&["from 127.0.0.1:41234:"], &["from 127.0.0.1:51234:"], true),
        ] {
            assert_eq!(fit(&owned(expected), &owned(printed)), fits, "{expected:?} {printed:?}");
        }
    }

    #[test]
    fn a_section_names_programs_in_what_is_run() {
        let block = |kind: &str, text: &str| Block { kind: kind.to_owned(), text: text.to_owned() };
        let blocks = vec![
            block("console", "$ target/release/tcp-server --listen x\n"),
            block("text", "target/release/udp-server"),
            block("python", "f(\"target/release/tcp-client\")"),
        ];
        let section = Section { heading: String::new(), blocks };
        assert!(section.programs().into_iter().eq(["tcp-client", "tcp-server"]));
    }
}
