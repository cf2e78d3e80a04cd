//! The project's pages: their links lead somewhere, every page is found, and the Chinese pages
//! keep up with the English ones.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

#[path = "links/page.rs"]
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use page::Page;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All pages, by their paths from the project's root on.
fn pages() -> BTreeMap<PathBuf, Page> {
    let mut pages = BTreeMap::new();
    collect(Path::new(""), &mut pages);
    assert!(pages.contains_key(Path::new("README.md")));
    pages
}

fn collect(folder: &Path, pages: &mut BTreeMap<PathBuf, Page>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = folder.join(&name);
        let is_made = ["target", "dist", "node_modules"].contains(&name.as_str());
        let is_hidden = name.starts_with('.') && name != ".github";
        if is_made || is_hidden {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(&path, pages);
        } else if name.ends_with(".md") {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            pages.insert(path, Page::read(&text));
        }
    }
}

/// Where a relative link in `page` leads: the file, and the anchor in it. None if the link leads
/// out of the project.
fn destination<'l>(page: &Path, link: &'l str) -> Option<(PathBuf, Option<&'l str>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, at)| (file, Some(at)));
    if file.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut path = PathBuf::new();
    for part in page.parent().unwrap().join(file).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{}: {link} leads out", page.display()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    Some((path, anchor))
}

/// The pages that `path` links to.
fn linked(path: &Path, page: &Page) -> BTreeSet<PathBuf> {
    page.links.iter().filter_map(|link| Some(destination(path, link)?.0)).collect()
}

/// The Chinese pages, and the originals of each.
fn translations(pages: &BTreeMap<PathBuf, Page>) -> Vec<(&Path, PathBuf)> {
    let original = |path: &Path| {
        let name = path.strip_prefix("docs/zh").ok()?;
        let is_readme = name == Path::new("README.md");
        Some(if is_readme { name.to_owned() } else { Path::new("docs").join(name) })
    };
    pages.keys().filter_map(|path| Some((path.as_path(), original(path)?))).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let pages = pages();
    let mut dead = Vec::new();
    for (path, page) in &pages {
        for link in &page.links {
            let Some((file, anchor)) = destination(path, link) else {
                continue;
            };
            let has_anchor = |anchor: &str| pages.get(&file).is_none_or(|it| it.has_anchor(anchor));
            if !root().join(&file).exists() || !anchor.is_none_or(has_anchor) {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_page_of_docs_is_reached_from_readme() {
    let pages = pages();
    let (mut reached, mut to_read) = (BTreeSet::new(), vec![PathBuf::from("README.md")]);
    while let Some(path) = to_read.pop() {
        if let Some(page) = pages.get(&path)
            && reached.insert(path.clone())
        {
            to_read.extend(linked(&path, page));
        }
    }
    let docs: BTreeSet<_> = pages.keys().filter(|path| path.starts_with("docs")).collect();
    let missed: Vec<_> = docs.into_iter().filter(|path| !reached.contains(*path)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_page_and_its_translation_link_to_each_other() {
    let pages = pages();
    for (path, original) in translations(&pages) {
        let page = pages.get(&original).unwrap_or_else(|| panic!("no {}", original.display()));
        assert!(linked(path, &pages[path]).contains(&original), "{}", path.display());
        assert!(linked(&original, page).contains(path), "{}", original.display());
    }
}

/// So a section that is new or gone, and a command that has changed, is not forgotten. The comments in
/// what is run may be translated, and so may drawings, which are `text` blocks.
#[test]
fn a_translation_has_the_sections_and_the_code_of_the_original() {
    let pages = pages();
    for (path, original) in translations(&pages) {
        let (ours, theirs) = (&pages[path], &pages[&original]);
        // Further sections may follow, such as one that explains the words.
        let (outline, wanted) = (ours.outline(), theirs.outline());
        assert!(outline.starts_with(&wanted), "{}: {outline:?}, not {wanted:?}", path.display());
        for (number, (own, code)) in ours.code.iter().zip(&theirs.code).enumerate() {
            assert_eq!(own, code, "{}: block {}", path.display(), number + 1);
        }
        assert_eq!(ours.code.len(), theirs.code.len(), "{}", path.display());
    }
}
