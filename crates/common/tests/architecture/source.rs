//! The source of a crate, read as text: its modules, and what they import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A crate of the workspace.
pub struct Crate {
    pub name: &'static str,
    /// Its modules, but for those that are tests.
    pub files: Vec<File>,
}

/// The file of a module.
pub struct File {
    /// From the folder `crates` on.
    pub path: String,
    /// `a::b`; empty for lib.rs and main.rs.
    module: String,
    /// Without comments, and without the module's tests.
    pub code: String,
}

impl Crate {
    pub fn read(name: &'static str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        collect(root, &root.join(name).join("src"), &mut files);
        // Files of tests are declared by their path, or under cfg(test).
        files.retain(|file| !file.path.contains("tests") && !file.path.contains("properties"));
        files.retain(|file| !file.path.contains("scenarios") && !file.path.ends_with("counts.rs"));
        assert!(files.len() > 3, "{name} has no source");
        Self { name, files }
    }

    pub fn file(&self, path: &str) -> &File {
        let found = self.files.iter().find(|file| file.path.ends_with(path));
        found.unwrap_or_else(|| panic!("no {path}"))
    }

    /// Which module imports which.
    pub fn imports(&self) -> BTreeSet<(String, String)> {
        let mut imports = BTreeSet::new();
        for file in &self.files {
            for path in file.imported() {
                let to = self.module_of(&file.module, &path);
                if let Some(to) = to.filter(|to| *to != file.module) {
                    imports.insert((file.module.clone(), to));
                }
            }
        }
        imports
    }

    /// Modules that import each other in a circle, the first one again at the end.
    pub fn circle(&self) -> Option<Vec<String>> {
        let mut of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (from, to) in self.imports() {
            of.entry(from).or_default().push(to);
        }
        let mut done = BTreeSet::new();
        of.keys().find_map(|from| search(from, &of, &mut Vec::new(), &mut done))
    }

    /// The module of this crate that a path leads to, if it leads to one.
    fn module_of(&self, from: &str, path: &str) -> Option<String> {
        let mut segments: Vec<&str> = path.split("::").collect();
        let mut base: Vec<&str> = from.split("::").filter(|segment| !segment.is_empty()).collect();
        match segments[0] {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            first => {
                let child = [&base[..], &[first]].concat().join("::");
                self.files.iter().find(|file| file.module == child)?;
                segments.insert(0, "self");
            }
        }
        let full = [&base[..], &segments[1..]].concat();
        let prefixes = (0..=full.len()).rev().map(|len| full[..len].join("::"));
        prefixes.into_iter().find(|prefix| self.files.iter().any(|file| file.module == *prefix))
    }
}

impl File {
    /// The paths that the file imports or names.
    pub fn imported(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        let mut rest = String::new();
        for statement in self.code.split_inclusive(';') {
            let (before, used) = split_use(statement);
            rest += before;
            if let Some(tree) = used {
                expand("", tree.trim_end_matches(';'), &mut paths);
            }
        }
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let words = rest.split(|c: char| !is_path(c));
        paths.extend(words.filter(|word| word.contains("::")).map(str::to_owned));
        paths
    }
}

/// A statement without its `use`, and what it uses.
fn split_use(statement: &str) -> (&str, Option<&str>) {
    let at = statement.rfind("use ").filter(|at| {
        let before = statement[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace()) && !statement[*at..].contains(['(', '='])
    });
    match at {
        Some(at) => (&statement[..at], Some(&statement[at + "use ".len()..])),
        None => (statement, None),
    }
}

/// `a::{b, c::{self, d}}`: a::b, a::c and a::c::d.
fn expand(prefix: &str, tree: &str, paths: &mut BTreeSet<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap().trim();
        let path = format!("{prefix}{name}");
        paths.insert(path.trim_end_matches("::self").to_owned());
        return;
    };
    let group = group.trim_end().strip_suffix('}').expect("the group's end");
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[begin..at].trim().is_empty() {
                    expand(&format!("{prefix}{}", head.trim()), &group[begin..at], paths);
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<File>) {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let (_, inside) = path.split_once("/src/").unwrap();
            let module = match inside.strip_suffix(".rs").unwrap() {
                "lib" | "main" => String::new(),
                inside => inside.replace('/', "::"),
            };
            files.push(File { path, module, code: without_tests_and_comments(&text) });
        }
    }
}

fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// Follows the imports from a module, along the `way` so far.
fn search(
    module: &str,
    imports: &BTreeMap<String, Vec<String>>,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(at) = way.iter().position(|seen| seen == module) {
        return Some([&way[at..], &[module.to_owned()]].concat());
    }
    if done.contains(module) {
        return None;
    }
    way.push(module.to_owned());
    let next = imports.get(module).into_iter().flatten();
    let circle = next.into_iter().find_map(|to| search(to, imports, way, done));
    way.pop();
    done.insert(module.to_owned());
    circle
}

#[test]
fn use_trees_are_read() {
    let code = "pub use a::{b, c::{self, d as e},\n f};\nfn x() { crate::g::h(); }\nuse super::i;";
    let file = File { path: String::new(), module: String::new(), code: code.to_owned() };
    let expected = ["a::b", "a::c", "a::c::d", "a::f", "crate::g::h", "super::i"];
    assert_eq!(file.imported().iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
