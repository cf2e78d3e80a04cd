//! What a program says of itself beside the list of its options: in its help, and to somebody
//! who wrote an option that it does not have.

use crate::options::foreign::Foreign;
use crate::protocol::Transport;

/// What a program says beside the list of its options.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// What the program speaks.
    pub transport: Transport,
    /// Paragraphs that both print: how values are written.
    pub notes: &'static [&'static str],
    /// Paragraphs that only `--help` prints.
    pub more: &'static [&'static str],
    /// What is written here for options that other programs have: tables, of which the first
    /// that knows an option counts.
    pub foreign: &'static [&'static [Foreign]],
    /// What to say of a word too many, of which the words before and after it are known, too.
    pub word: fn(Option<&str>, &str, Option<&str>) -> String,
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
