//! A peer's bytes as text that is safe on a terminal and in a log.
//!
//! Visible text in any script stays as it is. A character or byte that could move the cursor,
//! forge a line, reorder text or hide is written as an escape:
//!
//! | bytes | written |
//! |---|---|
//! | the backslash | `\\` |
//! | line feed, tab | `\n`, `\t` |
//! | any other ASCII control | `\x1b` |
//! | a byte that is not valid UTF-8 | `\xff` |
//! | any other control, format, separator, private or unassigned character, and any that Unicode says to ignore when displaying | `\u{202e}` |
//!
//! [`restore`] turns the text back into the very same bytes. [`framed`] keeps it apart from
//! the words around it.

pub mod framed;

use std::borrow::Cow;
use std::fmt;
use std::str;

/// `bytes` as safe text, all of them.
#[must_use]
pub fn printable(bytes: &[u8]) -> Printable<'_> {
    Printable(bytes)
}

/// Bytes that print as safe text: see [`printable`].
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(&'a [u8]);

impl<'a> Printable<'a> {
    /// The text. Nothing is allocated for what stays as it is.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match str::from_utf8(self.0) {
            Ok(text) if is_visible_ascii(self.0) || text.chars().all(is_plain) => text.into(),
            _ => self.to_string().into(),
        }
    }
}

/// Whether `bytes` are visible ASCII, without the backslash. This is faster than to look at each
/// character, since it takes eight bytes at once.
fn is_visible_ascii(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((&eight, more)) = rest.split_first_chunk() {
        if !are_visible_ascii(eight) {
            return false;
        }
        rest = more;
    }
    rest.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\')
}

/// Whether all of eight bytes are: "Determine if a word has a byte less than n" in "Bit Twiddling
/// Hacks" by Sean Eron Anderson.
fn are_visible_ascii(eight: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * ONES;
    let all = |byte: u8| u64::from(byte) * ONES;
    let word = u64::from_ne_bytes(eight);
    // What one byte borrows from the next can only hide in it if the first one is found anyway.
    let has_below = |word: u64, byte| word.wrapping_sub(all(byte)) & !word;
    // With the highest bit clear, adding one sets it for DEL alone.
    let found =
        word | word.wrapping_add(ONES) | has_below(word, b' ') | has_below(word ^ all(b'\\'), 1);
    found & HIGHEST == 0
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write_text(f, chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Writes valid text: visible runs as they are, the rest escaped.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut run = 0;
    for (at, c) in text.char_indices() {
        if is_plain(c) {
            continue;
        }
        f.write_str(&text[run..at])?;
        run = at + c.len_utf8();
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c))?,
            c => write!(f, "\\u{{{:x}}}", u32::from(c))?,
        }
    }
    f.write_str(&text[run..])
}

/// Whether `c` is written as it is.
fn is_plain(c: char) -> bool {
    match c {
        '\\' => false,
        ' '..='~' => true,
        c => !c.is_ascii() && is_visible(c) && !is_ignorable(c),
    }
}

/// Whether the standard library's Unicode tables call `c` printable. The tables leave out
/// controls, format characters (also the bidirectional ones), separators, private use and
/// unassigned code points.
///
/// `char::escape_debug` would also escape combining marks, without which Hindi or Thai cannot
/// be read. `str::escape_debug` escapes them only at the beginning of a string, so a space
/// comes first here.
fn is_visible(c: char) -> bool {
    let mut buffer = [b' '; 1 + 4];
    let end = 1 + c.encode_utf8(&mut buffer[1..]).len();
    str::from_utf8(&buffer[..end]).is_ok_and(|text| text.escape_debug().eq(text.chars()))
}

/// Whether `c` is invisible although its general category is a letter, a mark or a symbol:
/// Unicode's property `Default_Ignorable_Code_Point`, the blank pattern of Braille, which looks
/// like a space, the filler of Khitan, and the null notehead.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}' | '\u{16fe4}' | '\u{1d159}' | '\u{e0100}'..='\u{e01ef}')
}

/// Turns the text of [`printable`] back into the bytes that it was made from.
///
/// # Errors
/// [`printable`] never writes such a text.
pub fn restore(text: &str) -> Result<Vec<u8>, NotPrintable> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (kind, after) = split_char(escape).ok_or(NotPrintable)?;
        rest = after;
        match kind {
            '\\' => bytes.push(b'\\'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'x' => {
                let digits = after.get(..2).ok_or(NotPrintable)?;
                bytes.push(hex(digits).and_then(|byte| byte.try_into().ok()).ok_or(NotPrintable)?);
                rest = &after[2..];
            }
            'u' => {
                let (digits, after) = after
                    .strip_prefix('{')
                    .and_then(|hex| hex.split_once('}'))
                    .ok_or(NotPrintable)?;
                let c = hex(digits).and_then(char::from_u32).ok_or(NotPrintable)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            _ => return Err(NotPrintable),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Parses hexadecimal digits alone: the standard parser also takes a sign.
fn hex(digits: &str) -> Option<u32> {
    let all_digits = digits.bytes().all(|b| b.is_ascii_hexdigit());
    all_digits.then(|| u32::from_str_radix(digits, 16).ok())?
}

fn split_char(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    Some((chars.next()?, chars.as_str()))
}

/// The text cannot have come from [`printable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPrintable;

impl fmt::Display for NotPrintable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not text that was made safe for printing")
    }
}

impl std::error::Error for NotPrintable {}

#[cfg(test)]
#[cfg(feature = "testing")]
mod counts;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(bytes: &[u8]) -> String {
        printable(bytes).text().into_owned()
    }

    #[test]
    fn text_that_stays_as_it_is_is_not_copied() {
        for text in ["hehe, just for a test!", "中文", ""] {
            assert!(matches!(printable(text.as_bytes()).text(), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn eight_bytes_at_once_are_judged_as_each_alone() {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
        for (first, second) in (0..=u8::MAX).flat_map(|a| (0..=u8::MAX).map(move |b| (a, b))) {
            for at in [0, 3, 6, 7] {
                let mut bytes = *b"hehe, just for a";
                (bytes[at], bytes[at + 1]) = (first, second);
                let expected = is_plain(first) && is_plain(second);
                assert_eq!(is_visible_ascii(&bytes), expected, "{first} {second} at {at}");
            }
        }
    }

    /// Whether `c` must never reach a terminal or a log from a peer.
    fn is_dangerous(c: char) -> bool {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    }

    #[test]
    fn visible_text_of_any_script_stays() {
        for text in ["hehe, just for a test!", "中文", "हिन्दी", "ไทย", "'\"", "é e\u{301}", "🦀"]
        {
            assert_eq!(shown(text.as_bytes()), text);
        }
    }

    #[test]
    fn the_table_of_escapes() {
        for (bytes, text) in [
            (&b"a\nb\tc\\d"[..], r"a\nb\tc\\d"),
            (b"\r\x1b[2J\x00\x7f", r"\x0d\x1b[2J\x00\x7f"),
            (b"\xff\xc3", r"\xff\xc3"),
            ("\u{85}\u{202e}\u{200b}\u{feff}".as_bytes(), r"\u{85}\u{202e}\u{200b}\u{feff}"),
            ("\u{a0}\u{3000}\u{2028}".as_bytes(), r"\u{a0}\u{3000}\u{2028}"),
            ("\u{3164}\u{fe0f}\u{e000}".as_bytes(), r"\u{3164}\u{fe0f}\u{e000}"),
            ("\u{1d159}\u{16fe4}".as_bytes(), r"\u{1d159}\u{16fe4}"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }

    #[test]
    fn every_pair_of_bytes_is_safe_and_can_be_turned_back() {
        for pair in 0..=u16::MAX {
            let bytes = pair.to_be_bytes();
            let text = shown(&bytes);
            assert!(!text.chars().any(is_dangerous), "{bytes:?} became {text:?}");
            assert_eq!(restore(&text).as_deref(), Ok(&bytes[..]));
        }
    }

    #[test]
    fn every_character_is_safe_and_can_be_turned_back() {
        for c in '\0'..=char::MAX {
            let text = shown(c.encode_utf8(&mut [0; 4]).as_bytes());
            assert!(!text.chars().any(is_dangerous), "{c:?} became {text:?}");
            assert_eq!(restore(&text), Ok(c.to_string().into_bytes()));
        }
    }

    #[test]
    fn text_that_was_never_written_is_refused() {
        for text in [
            r"\",
            r"\q",
            r"\x",
            r"\x1",
            r"\xg0",
            r"\u",
            r"\u{",
            r"\u{d800}",
            r"\u{}",
            r"\x+1",
            r"\u{+1}",
            "\\x1é",
        ] {
            assert_eq!(restore(text), Err(NotPrintable), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe_and_can_be_turned_back(bytes: Vec<u8>) {
            let text = shown(&bytes);
            prop_assert!(!text.chars().any(is_dangerous));
            prop_assert_eq!(&text, &printable(&bytes).to_string());
            prop_assert_eq!(restore(&text), Ok(bytes));
        }

        #[test]
        fn any_text_is_safe_and_can_be_turned_back(message: String) {
            let text = shown(message.as_bytes());
            prop_assert!(!text.chars().any(is_dangerous));
            prop_assert_eq!(restore(&text), Ok(message.into_bytes()));
        }

        #[test]
        fn restoring_never_panics(text: String) {
            let _ = restore(&text);
        }
    }
}
