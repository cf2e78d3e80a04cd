//! The objects of `--json`, and what docs/json.md says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

/// An object of `--json`.
#[derive(Clone, Debug)]
pub struct Event(pub(super) Value);

impl Event {
    /// Reads a line, which must be an object of schema 1.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let event = Self(serde_json::from_str(line).expect("a JSON object"));
        assert_eq!(event.number("schema"), 1, "{line}");
        event
    }

    /// Reads a line of `program`, which must have the fields that are documented, and no
    /// others. A client's object says what that client speaks.
    #[must_use]
    pub fn as_documented(line: &str, program: &str) -> Self {
        let event = Self::parse(line);
        assert_eq!(Some(&event.fields()), documented(program).get(event.name()), "{line}");
        let spoken = event.0.get("protocol").and_then(|protocol| protocol.as_str());
        assert!(spoken.is_none_or(|it| program.strip_suffix("-client") == Some(it)), "{line}");
        event
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.text("event")
    }

    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("no text {field}: {}", self.0))
    }

    #[must_use]
    pub fn number(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or_else(|| panic!("no number {field}: {}", self.0))
    }

    /// A field that is true, false or null.
    #[must_use]
    pub fn truth(&self, field: &str) -> Option<bool> {
        self.0[field].as_bool()
    }

    #[must_use]
    pub fn is_null(&self, field: &str) -> bool {
        self.0[field].is_null()
    }

    #[must_use]
    pub fn decimal(&self, field: &str) -> f64 {
        self.0[field].as_f64().unwrap_or_else(|| panic!("no number {field}: {}", self.0))
    }

    /// The object in `field`.
    #[must_use]
    pub fn object(&self, field: &str) -> Self {
        assert!(self.0[field].is_object(), "no object {field}: {}", self.0);
        Self(self.0[field].clone())
    }

    /// The objects of the list in `field`.
    #[must_use]
    pub fn list(&self, field: &str) -> Vec<Self> {
        let list =
            self.0[field].as_array().unwrap_or_else(|| panic!("no list {field}: {}", self.0));
        list.iter().cloned().map(Self).collect()
    }

    /// The names of the object's fields, without `schema` and `event`.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<String> {
        let object = self.0.as_object().expect("an object");
        let own = object.keys().filter(|key| !["schema", "event"].contains(&key.as_str()));
        own.cloned().collect()
    }
}

/// The fields of each event of `program`, as docs/json.md lists them.
#[must_use]
pub fn documented(program: &str) -> BTreeMap<String, BTreeSet<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    let text = fs::read_to_string(path).expect("docs/json.md");
    let sections: Vec<&str> = text.split("\n## ").collect();
    let section = |title: &str| {
        let found = sections.iter().find(|section| section.starts_with(title));
        found.copied().unwrap_or_else(|| panic!("a section {title}"))
    };
    let is_client = program.ends_with("-client");
    let own = section(if is_client { "The clients" } else { program });
    let (events, totals) = own.split_once("\n| total |").unwrap_or((own, ""));
    let totals: BTreeSet<String> = rows(totals).flat_map(|row| words(row[1])).collect();
    let fields = |row: &Vec<&str>| match row[3].trim() {
        "the totals" => totals.clone(),
        fields => words(fields).collect(),
    };
    let common = if is_client { "" } else { section("Both servers") };
    let all = rows(events).chain(rows(common));
    all.filter_map(|row| Some((words(row[1]).next()?, fields(&row)))).collect()
}

/// The cells of a table's rows.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').collect())
}

/// The words in backquotes, without those in parentheses.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut depth = 0;
    let outside = text.chars().filter(move |&c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let outside: String = outside.collect();
    let words: Vec<String> = outside.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    words.into_iter()
}
