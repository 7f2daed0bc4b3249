// SPDX-License-Identifier: GPL-2.0-only
//! XML text as libxml2's `xmlTextWriter` makes it, with a tab for each level.
//!
//! It must never hold what a reader of XML 1.0 refuses: text that is not UTF-8, and most control characters, which the
//! original writes all the same.

use std::fmt::{Display, Write};

/// Why a configuration can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsavable {
    /// A text is not UTF-8, or has a character that XML does not have.
    Text,
    /// The control connection of an output is not set.
    NoControl,
    /// The data connection of an output is not set.
    NoData,
}

/// A document under way.
#[derive(Debug)]
pub struct Document {
    text: String,
    depth: usize,
    fault: Option<Unsavable>,
}

impl Document {
    /// One with nothing in it.
    pub fn new() -> Self {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        Document { text, depth: 0, fault: None }
    }

    /// An element with elements in it, or with nothing.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.indent();
        self.push(&["<", name]);
        let inner = self.text.len();
        self.push(&[">\n"]);
        let empty = self.text.len();
        self.depth = self.depth.saturating_add(1);
        content(self);
        self.depth = self.depth.saturating_sub(1);
        if self.text.len() == empty {
            self.text.truncate(inner);
            self.push(&["/>\n"]);
        } else {
            self.indent();
            self.push(&["</", name, ">\n"]);
        }
    }

    /// An element with text in it, perhaps an empty one.
    pub fn text(&mut self, name: &str, text: &(impl AsRef<[u8]> + ?Sized)) {
        let text = std::str::from_utf8(text.as_ref()).unwrap_or_else(|_| {
            self.fail(Unsavable::Text);
            ""
        });
        self.indent();
        self.push(&["<", name, ">"]);
        for char in text.chars() {
            match char {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\r' => self.text.push_str("&#13;"),
                _ if is_allowed(char) => self.text.push(char),
                _ => self.fail(Unsavable::Text),
            }
        }
        self.push(&["</", name, ">\n"]);
    }

    /// An element with a number or a boolean in it.
    pub fn value(&mut self, name: &str, value: impl Display) {
        self.indent();
        self.push(&["<", name, ">"]);
        // Writing to a string can't fail.
        let _ = write!(self.text, "{value}");
        self.push(&["</", name, ">\n"]);
    }

    /// It can't be made. The first reason counts.
    pub fn fail(&mut self, why: Unsavable) {
        self.fault.get_or_insert(why);
    }

    /// The text.
    ///
    /// # Errors
    /// The first reason why it can't be made.
    pub fn finish(self) -> Result<String, Unsavable> {
        self.fault.map_or(Ok(self.text), Err)
    }

    fn push(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.text.push_str(part));
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n('\t', self.depth));
    }
}

/// Whether XML 1.0 has this character (its section 2.2). A `char` is no surrogate.
fn is_allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &[u8]) -> Result<String, Unsavable> {
        let mut document = Document::new();
        document.text("t", text);
        let whole = document.finish()?;
        let inner = whole.lines().skip(1).collect::<Vec<_>>().join("\n");
        Ok(inner.strip_prefix("<t>").unwrap().strip_suffix("</t>").unwrap().to_owned())
    }

    #[test]
    fn what_has_a_meaning_in_xml_is_escaped() {
        assert_eq!(text(b"a<b>&\"c'\r\t\xc3\xa9").as_deref(), Ok("a&lt;b&gt;&amp;&quot;c'&#13;\t\u{e9}"));
        assert_eq!(text(b"two\nlines").as_deref(), Ok("two\nlines"));
        assert_eq!(text(b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_no_reader_takes_is_refused() {
        let others = ["\u{fffe}", "\u{ffff}", "\0", "\u{b}"].map(str::as_bytes);
        for bad in (1..9).chain(14..32).map(|byte: u8| vec![b'a', byte]) {
            assert_eq!(text(&bad), Err(Unsavable::Text), "{bad:?}");
        }
        for bad in others.into_iter().chain([&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80"]) {
            assert_eq!(text(bad), Err(Unsavable::Text), "{bad:?}");
        }
        for good in ["\u{7f}", "\u{fffd}", "\u{10ffff}", "\u{85}"] {
            assert_eq!(text(good.as_bytes()).as_deref(), Ok(good));
        }
    }

    #[test]
    fn elements_are_indented_and_empty_ones_short() {
        let mut document = Document::new();
        document.element("a", |document| {
            document.element("b", |_| {});
            document.element("c", |document| document.value("d", -1));
            document.text("e", "");
        });
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>\n\t<b/>\n\t<c>\n\t\t<d>-1</d>\n\t</c>\n\t<e></e>\n</a>\n";
        assert_eq!(document.finish().as_deref(), Ok(expected));
    }

    #[test]
    fn the_first_reason_counts() {
        let mut document = Document::new();
        document.fail(Unsavable::NoData);
        document.text("t", b"\xff");
        assert_eq!(document.finish(), Err(Unsavable::NoData));
    }
}
