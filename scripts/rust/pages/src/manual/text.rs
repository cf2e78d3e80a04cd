//! Text in man(7).

use roff::{Inline, bold, roman};

/// What begins and ends a block whose lines stay as they are.
pub const LITERAL: &str = "EX";
pub const LITERAL_END: &str = "EE";

/// Words that begin a sentence, within one. A name like TCP stays.
pub fn in_sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    let is_name = letters.clone().next().is_some_and(char::is_uppercase);
    first
        .filter(|_| !is_name)
        .map_or_else(|| text.to_owned(), |first| first.to_lowercase().chain(letters).collect())
}

/// Text whose options are bold.
pub fn words(text: &str) -> Vec<Inline> {
    let mut line = Vec::new();
    for (index, word) in text.split_whitespace().enumerate() {
        if index > 0 {
            line.push(roman(" "));
        }
        let is_option = |word: &str| {
            word.strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_alphabetic()))
        };
        let name = word.trim_end_matches([',', ';', ':', '.', ')']);
        if is_option(name) {
            line.extend([bold(name), roman(&word[name.len()..])]);
        } else {
            line.push(roman(word));
        }
    }
    line
}

/// The source with lines of at most 80 columns, as linters of manual pages want it. A new line is a
/// space there, unless it begins with a dot or a quote, or is in a literal block.
pub fn narrow(source: &str) -> String {
    let mut narrow = String::new();
    let mut is_literal = false;
    for line in source.lines() {
        match line.strip_prefix('.') {
            Some(LITERAL) => is_literal = true,
            Some(LITERAL_END) => is_literal = false,
            _ => {}
        }
        let is_kept = is_literal || line.starts_with('.');
        let mut columns = 0;
        for (index, word) in line.split(' ').enumerate() {
            let fits = is_kept || columns + word.len() < 80 || word.starts_with(['.', '\'']);
            if index > 0 {
                narrow.push(if fits { ' ' } else { '\n' });
            }
            columns = if fits { columns + word.len() + 1 } else { word.len() + 1 };
            narrow.push_str(word);
        }
        narrow.push('\n');
    }
    narrow
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_as_it_is_within_a_sentence() {
        assert_eq!(in_sentence("Sends a message"), "sends a message");
        assert_eq!(in_sentence("TCP is sent"), "TCP is sent");
        assert_eq!(in_sentence(""), "");
    }

    #[test]
    fn only_text_is_broken_into_lines() {
        let long = "word ".repeat(30);
        let long = long.trim_end();
        assert!(narrow(long).lines().all(|line| line.len() < 80));
        assert_eq!(narrow(long).replace('\n', " ").trim_end(), long);
        let literal = format!(".EX\n{long}\n.EE\n");
        assert_eq!(narrow(&literal), literal);
        let quoted = format!("{} .dot 'quote", "w".repeat(79));
        assert_eq!(narrow(&quoted).lines().count(), 1);
    }
}
