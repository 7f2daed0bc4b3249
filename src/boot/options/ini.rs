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
/// Longest section and key name.
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
}

/// The entries of a file, in order.
pub fn parse(text: &[u8]) -> Vec<Entry> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut entries = Vec::new();
    let mut section = String::new();
    let mut last_key = String::new();
    for line in text.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(MAX_LINE)) {
        let indented = line.first().is_some_and(u8::is_ascii_whitespace);
        let line = line.trim_ascii();
        let (Some(first), continuation) = (line.first(), indented && !last_key.is_empty()) else {
            continue;
        };
        if matches!(first, b';' | b'#') {
            continue;
        }
        if continuation {
            entries.push(entry(&section, &last_key, line));
        } else if *first == b'[' {
            if let Some(end) = line.iter().position(|byte| *byte == b']') {
                section = name(line.get(1..end).unwrap_or_default());
                last_key.clear();
            }
        } else if let Some((key, value)) = key_and_value(line) {
            last_key = name(key.trim_ascii());
            entries.push(entry(&section, &last_key, value));
        }
    }
    entries
}

/// Splits at the first `=` or, without one, at the first `:`; both only before a comment.
fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = without_comment(line);
    let at =
        line.iter().position(|byte| *byte == b'=').or_else(|| line.iter().position(|byte| *byte == b':'));
    let (key, rest) = line.split_at_checked(at?)?;
    Some((key, rest.get(1..).unwrap_or_default().trim_ascii()))
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

fn entry(section: &str, key: &str, value: &[u8]) -> Entry {
    Entry { section: section.to_owned(), key: key.to_owned(), value: OsString::from_vec(value.to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String, String)> {
        let plain = |entry: Entry| (entry.section, entry.key, entry.value.into_string().unwrap());
        parse(text.as_bytes()).into_iter().map(plain).collect()
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
            &[("", "a", "b;c"), ("", "d", "e"), ("", "empty", "")],
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
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("k={}\n", "v".repeat(300));
        let all = parsed(&text);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].2.len(), MAX_LINE - 2);
        assert_eq!(parsed(&format!("{}=v\n", "k".repeat(80)))[0].1.len(), MAX_NAME);
    }
}
