//! The figures of a run as Prometheus reads them (`--prometheus`).

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod counterpart;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::id;
use std::thread;

use common::testing::{Event, Running, quiet_command, run, run_command};
use nix::sys::signal::Signal;

use counterpart::{TCP_CLIENT, reserved};

/// A folder of the test's own, which is removed with all that is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("getthrough-{name}-{}", id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn answer(mut stream: TcpStream) {
    // The client may have ended meanwhile.
    let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(b"ACK!"));
}

/// Answers all connections. Returns its address.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
    address
}

/// A sample: the name, the labels, and the value as it is written.
type Samples = BTreeMap<(String, BTreeMap<String, String>), String>;

/// Reads the text format, and takes nothing that is not exactly as it should be.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line is whole: {text}");
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let (mut family, mut kind, mut helped) = (String::new(), String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(!words.is_empty() && families.insert(name.to_owned()), "{line}");
            helped = name.to_owned();
        } else if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, word) = of.split_once(' ').unwrap();
            assert_eq!(name, helped, "its HELP comes before it");
            assert!(["counter", "gauge", "histogram"].contains(&word), "{line}");
            assert_eq!(name.ends_with("_total"), word == "counter", "{line}");
            (family, kind) = (name.to_owned(), word.to_owned());
        } else {
            let ((name, labels), value) = sample(line);
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{family}: {line}"));
            let known =
                if kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
            assert!(known.contains(&suffix), "{line}");
            let before = samples.insert((name, labels), value);
            assert_eq!(before, None, "twice: {line}");
        }
    }
    samples
}

fn sample(line: &str) -> ((String, BTreeMap<String, String>), String) {
    let is_word = |word: &str| {
        let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
        word.starts_with(is_letter) && word.chars().all(|c| is_letter(c) || c.is_ascii_digit())
    };
    let (name, mut rest) = line.split_once('{').unwrap();
    assert!(is_word(name) && name.starts_with("getthrough_"), "{line}");
    let mut labels = BTreeMap::new();
    loop {
        let (label, quoted) = rest.split_once("=\"").unwrap();
        assert!(is_word(label), "{line}");
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("\\{other}: {line}"),
                }),
                (_, other) => value.push(other),
            }
        };
        assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
        rest = &quoted[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    let value = rest.strip_prefix("} ").unwrap_or_else(|| panic!("{line}"));
    assert!(value.chars().all(|c| c.is_ascii_digit() || c == '.'), "{line}");
    assert!(value.parse::<f64>().is_ok(), "{line}");
    ((name.to_owned(), labels), value.to_owned())
}

/// What is in the file.
struct Figures(Samples);

impl Figures {
    fn read(path: &str) -> Self {
        Self(parse(&fs::read_to_string(path).unwrap()))
    }

    /// The value of the metric, which has this label beside those that all have.
    fn value(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let name = format!("getthrough_{name}");
        let is_it = |(of, labels): &&(String, BTreeMap<String, String>)| {
            *of == name
                && match label {
                    None => labels.len() == 3,
                    Some((key, value)) => labels.get(key).is_some_and(|known| known == value),
                }
        };
        let found = self.0.keys().find(is_it).unwrap_or_else(|| panic!("no {name} {label:?}"));
        self.0[found].parse().unwrap()
    }

    fn count(&self, name: &str) -> f64 {
        self.value(name, None)
    }

    /// The buckets of a histogram, with their bounds in ascending order.
    fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let name = format!("getthrough_{name}_bucket");
        let of_it = self.0.iter().filter(|((of, _), _)| *of == name);
        let bound = |labels: &BTreeMap<String, String>| match labels["le"].as_str() {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().unwrap(),
        };
        let mut all: Vec<_> =
            of_it.map(|((_, labels), count)| (bound(labels), count.parse().unwrap())).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all
    }
}

#[test]
fn the_file_has_the_figures_of_the_summary() {
    let (folder, address) = (Folder::new("figures"), server());
    let file = folder.at("box.prom");
    fs::write(&file, "of another run").unwrap();
    let args = [&*address, "-c", "5", "-i", "20ms", "--json", "-qq", "--prometheus", &file];
    let mut command = quiet_command("sh");
    command.args(["-c", r#"umask 026; exec "$0" "$@""#, TCP_CLIENT]).args(args);
    let ended = run_command(command, b"");
    let summary = Event::as_documented(ended.stdout.trim_end(), "tcp-client");
    let figures = Figures::read(&file);
    for (name, field) in [
        ("probes_sent_total", "sent"),
        ("probes_failed_total", "failed"),
        ("probes_skipped_total", "skipped"),
        ("probes_held_total", "held"),
        ("probes_unfinished", "unfinished"),
    ] {
        assert_eq!(figures.count(name), summary.decimal(field), "{name}");
    }
    assert_eq!(figures.value("probes_total", Some(("verdict", "ok"))), 5.0);
    assert_eq!(figures.value("probes_total", Some(("verdict", "no-reply"))), 0.0);
    for (histogram, times) in [("reply_seconds", "reply_ms"), ("connect_seconds", "connect_ms")] {
        let times = summary.object(times);
        let count = figures.count(&format!("{histogram}_count"));
        assert_eq!(count, times.decimal("samples"));
        let mean_ms = figures.count(&format!("{histogram}_sum")) * 1000.0 / count;
        assert!((mean_ms - times.decimal("mean")).abs() < 0.002, "{mean_ms} {times:?}");
        let buckets = figures.buckets(histogram);
        assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)));
    }
    let said = summary.list("buckets");
    let counts: Vec<_> = said.iter().map(|bucket| bucket.decimal("count")).collect();
    let buckets: Vec<_> = figures.buckets("reply_seconds").iter().map(|(_, n)| *n).collect();
    assert_eq!(buckets, counts);
    let (_, labels) = figures.0.keys().next().unwrap();
    let labels = ["target", "protocol", "program"].map(|label| labels[label].as_str());
    assert_eq!(labels, [&*address, "tcp", "tcp-client"]);
    assert!(figures.count("run_begin_timestamp_seconds") > 1.7e9);
    assert_eq!(folder.names(), ["box.prom"], "nothing is left over");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, ended.status), (0o640, Some(0)));
}

#[test]
fn a_reader_never_sees_half_a_file_and_the_counters_never_go_back() {
    let (folder, address) = (Folder::new("whole"), server());
    let file = folder.at("box.prom");
    let args = [&*address, "-c", "5000", "-i", "0", "--every", "10ms", "-qq"];
    let client = Running::start(TCP_CLIENT, &[&args[..], &["--prometheus", &file]].concat());
    let (mut sent, mut versions) = (0.0, BTreeSet::new());
    // Bounded: as long as the client runs, whose probes have a time limit.
    while Path::new(&format!("/proc/{}/exe", client.id())).exists() {
        // Before the first file there is none.
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        if versions.insert(text.clone()) {
            let now = Figures(parse(&text)).count("probes_sent_total");
            assert!(now >= sent, "{now} after {sent}");
            sent = now;
        }
    }
    assert_eq!(client.finish().status, Some(0));
    assert!(versions.len() > 20, "only {} versions were seen", versions.len());
}

#[test]
fn the_counters_are_those_of_the_run_and_not_of_a_period() {
    let (_held, address) = reserved();
    let (folder, address) = (Folder::new("run"), address.to_string());
    let file = folder.at("box.prom");
    let args = [&*address, "-c", "6", "-i", "50ms", "--every", "100ms", "-qq"];
    let ended = run(TCP_CLIENT, &[&args[..], &["--prometheus", &file]].concat());
    let figures = Figures::read(&file);
    assert_eq!(figures.count("probes_sent_total"), 6.0);
    assert_eq!(figures.value("probes_total", Some(("verdict", "refused"))), 6.0);
    assert_eq!((figures.count("probes_failed_total"), ended.status), (6.0, Some(1)));
}

#[test]
fn the_file_is_there_before_anything_is_known() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new("begin");
    let (file, address) = (folder.at("box.prom"), silent.local_addr().unwrap().to_string());
    let client = Running::start(TCP_CLIENT, &[&*address, "-c", "1", "--prometheus", &file]);
    // When it has connected, it has written the file.
    let _held = silent.accept().unwrap();
    let figures = Figures::read(&file);
    assert_eq!(figures.count("probes_sent_total"), 0.0);
    assert_eq!(figures.count("reply_seconds_count"), 0.0);
    client.signal(Signal::SIGINT);
    drop(client.finish());
    assert_eq!(Figures::read(&file).count("probes_unfinished"), 1.0);
}

#[test]
fn a_name_that_does_not_resolve_is_in_the_file() {
    let folder = Folder::new("nowhere");
    let file = folder.at("box.prom");
    let ended = run(TCP_CLIENT, &["no-such-name.invalid", "-c", "3", "--prometheus", &file]);
    let figures = Figures::read(&file);
    assert_eq!(figures.value("probes_total", Some(("verdict", "unresolved"))), 1.0);
    assert_eq!((figures.count("probes_sent_total"), ended.status), (0.0, Some(1)));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_before_anything_is_sent() {
    let folder = Folder::new("error");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    fs::create_dir(folder.at("folder")).unwrap();
    let link = folder.at("link");
    symlink(folder.at("nowhere"), &link).unwrap();
    // It stands for a device, which no test should put at risk.
    let _special = UnixListener::bind(folder.at("special")).unwrap();
    for (file, why) in [
        (folder.at("none/box.prom"), "no such file or directory"),
        (folder.at("folder"), "not a file"),
        (folder.at("special"), "not a file"),
        (link, "not a file"),
        ("-".to_owned(), "not a file"),
    ] {
        let ended = run(TCP_CLIENT, &[&*address, "-c", "3", "--prometheus", &file]);
        let line = format!("tcp-client: --prometheus {file}: {why}\n");
        assert_eq!((ended.stderr, ended.stdout.as_str(), ended.status), (line, "", Some(2)));
    }
    assert!(listener.accept().is_err(), "nobody came");
    assert_eq!(folder.names().len(), 3, "nothing is left over");
}

#[test]
fn a_file_that_can_no_longer_be_written_is_warned_of_and_the_run_goes_on() {
    let (folder, listener) = (Folder::new("gone"), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap().to_string();
    fs::create_dir(folder.at("in")).unwrap();
    let file = folder.at("in/box.prom");
    let args = [&*address, "-c", "30", "-i", "20ms", "--every", "50ms", "-q"];
    let client = Running::start(TCP_CLIENT, &[&args[..], &["--prometheus", &file]].concat());
    // When it has connected, it has written the file.
    let (first, _) = listener.accept().unwrap();
    fs::remove_dir_all(folder.at("in")).unwrap();
    thread::spawn(move || {
        answer(first);
        listener.incoming().for_each(|stream| answer(stream.unwrap()));
    });
    let ended = client.finish();
    // Once while it goes on, and once because the last figures are not in it.
    let line = format!("tcp-client: --prometheus {file}: no such file or directory\n");
    assert_eq!((ended.stderr, ended.status), (line.repeat(2), Some(0)));
    assert!(ended.stdout.contains("\n30 sent in "), "{}", ended.stdout);
}
