//! Safe text among words of our own.
//!
//! Safe text may still look like what is printed around it: like another line of the
//! transcript, like the note that something is omitted, or like the quote that ends it.
//! Where it could, one character more is escaped. So a peer's text always shows where it
//! begins and ends, and [`restore`](super::restore) turns it back as before.

use std::fmt;

use super::printable;

/// How the note about what is omitted ends. No whole message that is shown ends so.
const NOTE_END: &str = " shown)";

/// `text`, the safe text of the first `shown` of `len` bytes, at the end of a line. If it is
/// cut short, a note says so.
#[must_use]
pub fn at_end(text: &str, shown: usize, len: usize) -> Framed<'_> {
    Framed { text, shown, len, ours: &[] }
}

/// Like [`at_end`], but as a line of its own, among others that begin with one of `ours`, or
/// with a time and then so. What comes before such a beginning does not disguise it, if that is
/// nothing of ASCII that is visible: spaces, or marks and vowels that are drawn over it.
#[must_use]
pub fn alone<'a>(text: &'a str, shown: usize, len: usize, ours: &'a [&'a str]) -> Framed<'a> {
    Framed { text, shown, len, ours }
}

/// `bytes` as safe text in quotes. No quote is left within them.
#[must_use]
pub fn quoted(bytes: &[u8]) -> String {
    format!("'{}'", printable(bytes).to_string().replace('\'', "\\x27"))
}

/// Safe text that cannot be taken for words of ours: see [`at_end`] and [`alone`].
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a> {
    text: &'a str,
    shown: usize,
    len: usize,
    ours: &'a [&'a str],
}

impl Framed<'_> {
    /// Where the text begins like a line of ours.
    fn false_beginning(&self) -> Option<usize> {
        // Hardly any text begins so, and one byte mostly shows that.
        let first = *self.text.as_bytes().first()?;
        let may_be_ours = self.ours.iter().any(|ours| ours.as_bytes().first() == Some(&first));
        if first.is_ascii_graphic() && !first.is_ascii_digit() && !may_be_ours {
            return None;
        }
        let text = self.text.trim_start_matches(may_be_inkless);
        let is_ours = self.ours.iter().any(|ours| text.starts_with(ours));
        let is_alike = is_ours || !self.ours.is_empty() && begins_with_a_date(text);
        is_alike.then(|| self.text.len() - text.len())
    }

    /// Where the text ends like the note.
    fn false_end(&self) -> Option<usize> {
        let last = *self.text.as_bytes().last()?;
        if last.is_ascii_graphic() && !NOTE_END.ends_with(char::from(last)) {
            return None;
        }
        let text = self.text.trim_end_matches(may_be_inkless);
        text.ends_with(NOTE_END).then(|| text.len() - 1)
    }
}

impl fmt::Display for Framed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_cut = self.shown < self.len;
        let end = self.false_end().filter(|_| !is_cut);
        let mut done = 0;
        // Both are ASCII, so one byte each.
        for at in [self.false_beginning(), end].into_iter().flatten() {
            write!(f, "{}\\x{:02x}", &self.text[done..at], self.text.as_bytes()[at])?;
            done = at + 1;
        }
        f.write_str(&self.text[done..])?;
        if is_cut {
            write!(f, " ({} bytes, the first {}{NOTE_END}", self.len, self.shown)?;
        }
        Ok(())
    }
}

/// Whether a terminal may show nothing of `c` alone. That is hard to say of other scripts, some of
/// whose letters have no width of their own, and so all of them may.
fn may_be_inkless(c: char) -> bool {
    !c.is_ascii_graphic()
}

/// Whether `text` begins with the date of a time (RFC 3339), as lines do with `--timestamps`.
fn begins_with_a_date(text: &str) -> bool {
    let date = text.bytes().zip(*b"0000-00-00T");
    text.len() > 10
        && date.into_iter().all(|(is, like)| match like {
            b'0' => is.is_ascii_digit(),
            _ => is == like,
        })
}

#[cfg(test)]
mod tests {
    use super::super::restore;
    use super::*;
    use proptest::prelude::*;

    const OURS: &[&str] = &["[", "udp-server:"];

    /// The first `limit` bytes of `message`, framed.
    fn shown(message: &[u8], limit: usize, ours: &[&str]) -> String {
        let first = &message[..message.len().min(limit)];
        alone(&printable(first).to_string(), first.len(), message.len(), ours).to_string()
    }

    /// Whether a terminal may show nothing of `c` alone.
    fn is_inkless(c: char) -> bool {
        c == ' ' || matches!(c, '\u{300}'..='\u{36f}')
    }

    /// What a reader makes of a line: the bytes that are shown, and how many there were.
    fn read(line: &str) -> (Vec<u8>, usize) {
        let Some(note) = line.strip_suffix(NOTE_END) else {
            let whole = restore(line).unwrap();
            let len = whole.len();
            return (whole, len);
        };
        let (text, note) = note.rsplit_once(" (").unwrap();
        let (len, _) = note.split_once(' ').unwrap();
        (restore(text).unwrap(), len.parse().unwrap())
    }

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        let line = shown(&[b'x'; 1500], 4, OURS);
        assert_eq!(line, "xxxx (1500 bytes, the first 4 shown)");
        assert_eq!(shown(b"xxxx", 4, OURS), "xxxx");
    }

    #[test]
    fn what_looks_like_ours_has_one_character_escaped() {
        for (message, line) in [
            ("[*] Stopped", r"\x5b*] Stopped"),
            ("  [*] Stopped", r"  \x5b*] Stopped"),
            ("\t[*] Stopped", r"\t[*] Stopped"),
            ("udp-server: broken", r"\x75dp-server: broken"),
            ("2026-01-01T00:00:00.000Z [*]", r"\x32026-01-01T00:00:00.000Z [*]"),
            ("2026-01-01", "2026-01-01"),
            ("17 [*]", "17 [*]"),
            ("(1500 bytes, the first 4 shown)", r"(1500 bytes, the first 4 shown\x29"),
            ("[ shown)", r"\x5b shown\x29"),
            ("中文 shown) ", r"中文 shown\x29 "),
            ("x shown)\u{301}", "x shown\\x29\u{301}"),
            ("中文", "中文"),
            ("\u{301}[*] Stopped", "\u{301}\\x5b*] Stopped"),
            ("\u{332} \u{20dd}[*] Stopped", "\u{332} \u{20dd}\\x5b*] Stopped"),
            // These marks and vowels are letters to Unicode, and may have no width.
            ("\u{345}[*] Stopped", "\u{345}\\x5b*] Stopped"),
            ("\u{1161}udp-server: broken", "\u{1161}\\x75dp-server: broken"),
            ("\u{301}2026-01-01T00", "\u{301}\\x32026-01-01T00"),
            ("", ""),
        ] {
            assert_eq!(shown(message.as_bytes(), 1024, OURS), line);
            assert_eq!(restore(line), Ok(message.as_bytes().to_vec()));
        }
        assert_eq!(shown(b"[*] Stopped", 1024, &[]), "[*] Stopped", "not at a line's beginning");
    }

    #[test]
    fn a_quote_ends_where_it_ends() {
        assert_eq!(quoted(b"SSH', and not 'X"), r"'SSH\x27, and not \x27X'");
    }

    /// Messages made of what could be mistaken.
    fn deceptive() -> impl Strategy<Value = Vec<u8>> {
        let pieces = ["[", "[*] ", " ", "x", "\\", "\n", "'", "2026-01-01T", "udp-server:", "中"];
        let notes =
            [" (9 bytes, the first 8 shown)", " shown)", "\\x29", "\u{ff}", "\u{301}", "\u{345}"];
        let piece = prop::sample::select([&pieces[..], &notes].concat());
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn every_line_says_what_it_shows(message in deceptive(), limit in 0_usize..40) {
            let line = shown(&message, limit, OURS);
            let first = message[..message.len().min(limit)].to_vec();
            prop_assert_eq!(read(&line), (first, message.len()));
        }

        #[test]
        fn no_line_begins_like_ours(message in deceptive(), limit in 0_usize..40) {
            let line = shown(&message, limit, OURS);
            let begins = line.trim_start_matches(is_inkless);
            prop_assert!(!OURS.iter().any(|ours| begins.starts_with(ours)));
            prop_assert!(!begins_with_a_date(begins));
        }

        #[test]
        fn quotes_can_be_told_apart(one in deceptive(), other in deceptive()) {
            let said = format!("{}, and not {}", quoted(&one), quoted(&other));
            let quotes: Vec<_> = said.split('\'').collect();
            prop_assert_eq!(quotes.len(), 5);
            prop_assert_eq!(restore(quotes[1]), Ok(one));
            prop_assert_eq!(restore(quotes[3]), Ok(other));
        }
    }
}
