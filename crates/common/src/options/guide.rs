//! What a program says of itself beside the list of its options.

/// What `-h` and `--help` print after the list of the options.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// Paragraphs that both print: how values are written.
    pub notes: &'static [&'static str],
    /// Paragraphs that only `--help` prints.
    pub more: &'static [&'static str],
}

/// The last paragraph of `--help`.
pub const DOCUMENTATION: &str = "\
Documentation: README.md and the folder docs, in the source of getthrough.";

impl Guide {
    /// The paragraphs as one text.
    #[must_use]
    pub fn text(&self, is_long: bool) -> String {
        let more = if is_long { self.more } else { &["--help has more, with examples."] };
        [self.notes, more].concat().join("\n\n")
    }
}
