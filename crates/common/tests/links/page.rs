//! A page in Markdown, as far as links are concerned.

use std::collections::BTreeMap;

/// A page: its headings, its links, and the code that it shows.
#[derive(Debug, Default)]
pub struct Page {
    headings: Vec<Heading>,
    /// The ids of elements of HTML.
    ids: Vec<String>,
    pub links: Vec<String>,
    /// The fenced blocks, without comments. Of `text` blocks there is only the kind.
    pub code: Vec<String>,
}

#[derive(Debug)]
struct Heading {
    level: usize,
    anchor: String,
}

impl Page {
    pub fn read(text: &str) -> Self {
        let (mut page, mut seen, mut prose) = (Self::default(), BTreeMap::new(), String::new());
        let mut block: Option<(&str, String)> = None;
        for line in text.lines() {
            match (&mut block, line.trim_start().strip_prefix("```")) {
                (None, Some(kind)) => block = Some((kind, format!("{kind}\n"))),
                (Some(_), Some(_)) => page.code.extend(block.take().map(|(_, code)| code)),
                (Some(("text", _)), None) => {}
                (Some((_, code)), None) => {
                    let kept = without_comment(line);
                    *code += if kept.is_empty() { "" } else { kept };
                    *code += if kept.is_empty() { "" } else { "\n" };
                }
                (None, None) => {
                    let title = line.trim_start_matches('#');
                    let level = line.len() - title.len();
                    if level > 0 && title.starts_with(' ') {
                        let anchor = unique(anchor(title.trim()), &mut seen);
                        page.headings.push(Heading { level, anchor });
                    }
                    prose += line;
                    prose.push('\n');
                }
            }
        }
        let prose = without_code_spans(&prose);
        page.links = links(&prose);
        let ids = prose.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        page.ids = ids.map(str::to_owned).collect();
        page
    }

    /// Whether there is a heading, or an element with an id, that `anchor` leads to.
    pub fn has_anchor(&self, anchor: &str) -> bool {
        let heads = self.headings.iter().map(|heading| &heading.anchor);
        heads.chain(&self.ids).any(|each| each == anchor)
    }

    /// The levels of the headings.
    pub fn outline(&self) -> Vec<usize> {
        self.headings.iter().map(|heading| heading.level).collect()
    }
}

/// As GitHub makes it of a title: small letters, spaces as hyphens, and no other marks but hyphens and
/// underscores. Letters of any script stay. Of a link, only the text counts.
fn anchor(title: &str) -> String {
    let mut text = title.to_owned();
    while let Some(middle) = text.find("](") {
        let end = text[middle..].find(')').map_or(text.len(), |end| middle + end + 1);
        text.replace_range(middle..end, "");
    }
    let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The second heading of one name has `-1` behind it.
fn unique(anchor: String, seen: &mut BTreeMap<String, usize>) -> String {
    let count = seen.entry(anchor.clone()).or_default();
    *count += 1;
    if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
}

/// A line of code without its comment, which begins the line or stands behind a space.
fn without_comment(line: &str) -> &str {
    let mut starts = line.match_indices("# ").map(|(at, _)| &line[..at]);
    let comment = starts.find(|before| before.is_empty() || before.ends_with(' '));
    comment.unwrap_or(line).trim_end()
}

/// Inside `code`, nothing is a link.
fn without_code_spans(text: &str) -> String {
    text.split('`').enumerate().map(|(n, part)| if n % 2 == 0 { part } else { "" }).collect()
}

/// The targets of inline links and pictures, of references, and of elements of HTML.
fn links(text: &str) -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    for (begin, end) in [("](", ')'), ("href=\"", '"'), ("src=\"", '"'), ("srcset=\"", '"')] {
        found.extend(text.split(begin).skip(1).filter_map(|rest| rest.split(end).next()));
    }
    let references = text.lines().filter(|line| line.starts_with('['));
    found.extend(references.filter_map(|line| Some(line.split_once("]: ")?.1)));
    // Behind the target there may be a title.
    found.iter().filter_map(|link| Some(link.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn a_page_is_read_as_github_does() {
    let text = "# A `b-c` [d](e.md#f)!\n\n[x](y.md \"z\") `[no](no.md)`\n```sh\n# no\n[no](no.md) # z\n```\n\
                ## 怎么读：它，TTL\n## A\n## A\n<a id=\"x-y\"></a><img src=\"p.svg\">\n[r]: s.md\n```text\ndrawn\n```\n";
    let page = Page::read(text);
    for anchor in ["a-b-c-d", "怎么读它ttl", "a", "a-1", "x-y"] {
        assert!(page.has_anchor(anchor), "{anchor}: {page:?}");
    }
    assert_eq!(page.outline(), [1, 2, 2, 2]);
    assert_eq!(page.links, ["e.md#f", "y.md", "p.svg", "s.md"]);
    assert_eq!(page.code, ["sh\n[no](no.md)\n", "text\n"]);
}
