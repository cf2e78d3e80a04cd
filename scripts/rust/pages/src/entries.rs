//! The lists in a program's help: a heading, and below it entries of a term and what it means.

/// A paragraph of a help text.
#[derive(Debug, PartialEq, Eq)]
pub enum Paragraph<'t> {
    /// Sentences.
    Prose(&'t str),
    /// `Heading:`, and lines below it that begin with two spaces.
    Listing { heading: &'t str, lines: Vec<&'t str> },
}

impl<'t> Paragraph<'t> {
    /// Takes a paragraph apart.
    pub fn new(text: &'t str) -> Self {
        let mut lines = text.lines();
        match lines.next().and_then(|first| first.strip_suffix(':')) {
            Some(heading) if text.contains('\n') => {
                Self::Listing { heading, lines: lines.collect() }
            }
            _ => Self::Prose(text),
        }
    }
}

/// A term, and what it means.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    pub term: &'t str,
    pub meaning: String,
}

/// The entries of a list: `  term  meaning`, which a line that is indented further continues.
///
/// # Errors
/// Names a line that is none of both.
pub fn entries<'t>(lines: &[&'t str]) -> Result<Vec<Entry<'t>>, String> {
    let mut found: Vec<Entry<'t>> = Vec::new();
    for line in lines {
        let text = line.strip_prefix("  ").ok_or_else(|| format!("not an entry: {line}"))?;
        match (text.split_once("  "), found.last_mut()) {
            (Some(("", continued)), Some(last)) => {
                last.meaning.push(' ');
                last.meaning.push_str(continued.trim_start());
            }
            (Some((term, meaning)), _) if !term.is_empty() => {
                found.push(Entry { term, meaning: meaning.trim_start().to_owned() });
            }
            _ => return Err(format!("not an entry: {line}")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    // A test fails by panicking.
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_paragraph_with_a_heading_is_a_list() {
        let lines = vec!["  ok  a reply"];
        let listing = Paragraph::Listing { heading: "Verdicts", lines };
        assert_eq!(Paragraph::new("Verdicts:\n  ok  a reply"), listing);
        for prose in ["HOST is a name.", "Documentation: README.md", "Note:"] {
            assert_eq!(Paragraph::new(prose), Paragraph::Prose(prose));
        }
    }

    #[test]
    fn an_entry_goes_on_in_lines_that_are_indented_further() {
        let found =
            entries(&["  0  stopped by", "     a signal", "  wrong-reply  another one"]).unwrap();
        let expected = [("0", "stopped by a signal"), ("wrong-reply", "another one")];
        let expected = expected.map(|(term, meaning)| Entry { term, meaning: meaning.to_owned() });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_of_another_form_is_an_error() {
        for line in ["0  not indented", "  alone", "     nothing to go on with"] {
            assert!(entries(&[line]).is_err(), "{line}");
        }
    }
}
