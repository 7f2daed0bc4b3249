// SPDX-License-Identifier: GPL-2.0-only
//! The syntax of configuration files.
//!
//! `[section]`, `key = value` or `key : value`, comments with `;` and `#`. A line that starts with white
//! space behind a key's line gives the same key once more, with that text. What cannot be understood is
//! left out and the rest is used, as the original does. (`lttng-tools 2.13: src/common/config/ini.c`)

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Longest piece of a line that is looked at; what is beyond counts as the next line.
const MAX_LINE: usize = 199;
/// Longest section name, and longest key name that is remembered for the lines behind it.
const MAX_NAME: usize = 49;

/// One key with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The section it stands in; empty before the first.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value, which may be empty.
    pub value: OsString,
    /// The line that it stands on, counted from 1.
    pub line: usize,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// The lines that say nothing, counted from 1.
    pub nonsense: Vec<usize>,
}

/// What a file says.
pub fn parse(text: &[u8]) -> Contents {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut contents = Contents::default();
    let mut section = String::new();
    let mut last_key = String::new();
    let numbered = text.split_inclusive(|byte| *byte == b'\n').zip(1..);
    for (piece, line) in
        numbered.flat_map(|(text, line)| text.chunks(MAX_LINE).map(move |piece| (piece, line)))
    {
        let indented = piece.first().is_some_and(u8::is_ascii_whitespace);
        let text = piece.trim_ascii();
        let (Some(first), continuation) = (text.first(), indented && !last_key.is_empty()) else {
            continue;
        };
        if matches!(first, b';' | b'#') {
            continue;
        }
        let mut add = |key: &str, value: &[u8]| {
            let value = OsString::from_vec(value.to_vec());
            contents.entries.push(Entry { section: section.clone(), key: key.to_owned(), value, line });
        };
        if continuation {
            add(&last_key, text);
        } else if let Some(rest) = text.strip_prefix(b"[") {
            match without_comment(rest).iter().position(|byte| *byte == b']') {
                Some(end) => {
                    section = name(rest.get(..end).unwrap_or_default());
                    last_key.clear();
                }
                None => contents.nonsense.push(line),
            }
        } else if let Some((key, value)) = key_and_value(text) {
            let key = key.trim_ascii();
            add(&String::from_utf8_lossy(key), value);
            // Only what is remembered of it is cut.
            last_key = name(key);
        } else {
            contents.nonsense.push(line);
        }
    }
    contents
}

/// Splits at the first `=` or, without one, at the first `:`; both only before a comment.
fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let before = without_comment(line);
    let find = |wanted| before.iter().position(|byte| *byte == wanted);
    let (key, rest) = line.split_at_checked(find(b'=').or_else(|| find(b':'))?)?;
    // One that the value begins with is part of it.
    Some((key, without_comment(rest.get(1..).unwrap_or_default().trim_ascii()).trim_ascii()))
}

/// A `;` behind white space starts a comment.
fn without_comment(line: &[u8]) -> &[u8] {
    let comment =
        line.windows(2).position(|pair| matches!(pair, [space, b';'] if space.is_ascii_whitespace()));
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_NAME).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String, String)> {
        let plain = |entry: Entry| (entry.section, entry.key, entry.value.into_string().unwrap());
        parse(text.as_bytes()).entries.into_iter().map(plain).collect()
    }

    fn is(text: &str, expected: &[(&str, &str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(s, k, v)| (s.to_string(), k.to_string(), v.to_string())).collect();
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn keys_with_sections() {
        is(
            "early=1\n[sessiond]\n  \nverbose = 2\ngroup:ops\r\n[other]\nurl : a=b\n",
            &[
                ("", "early", "1"),
                ("sessiond", "verbose", "2"),
                ("sessiond", "group", "ops"),
                ("other", "url : a", "b"),
            ],
        );
    }

    #[test]
    fn comments() {
        is(
            "; x=1\n# y=2\n  # z=3\na=b;c\nd = e ; f\nempty= ; nothing\n",
            &[("", "a", "b;c"), ("", "d", "e"), ("", "empty", "; nothing")],
        );
    }

    #[test]
    fn indented_lines_repeat_the_key() {
        is(
            " first = 1\n[s]\nkey = 1\n two\n\n\tthree = 3\n[t]\n x=1\n",
            &[
                ("", "first", "1"),
                ("s", "key", "1"),
                ("s", "key", "two"),
                ("s", "key", "three = 3"),
                ("t", "x", "1"),
            ],
        );
    }

    #[test]
    fn byte_order_mark_and_missing_newline() {
        is("\u{feff}[s]\nk=v", &[("s", "k", "v")]);
    }

    #[test]
    fn what_cannot_be_understood_is_left_out() {
        is("[open\nnonsense\nk=v\n=x\n", &[("", "k", "v"), ("", "", "x")]);
        let contents = parse(b"[open ;]\n; fine\nnonsense\nk=v\n w\n");
        assert_eq!(contents.nonsense, [1, 3]);
        assert_eq!(contents.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("k={}\n", "v".repeat(300));
        let all = parsed(&text);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].2.len(), MAX_LINE - 2);
        let names: Vec<usize> =
            parsed(&format!("{}=v\n w\n", "k".repeat(80))).iter().map(|e| e.1.len()).collect();
        assert_eq!(names, [80, MAX_NAME]);
    }
}
