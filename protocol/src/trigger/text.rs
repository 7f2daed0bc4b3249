// SPDX-License-Identifier: GPL-2.0-only
//! The strings of triggers: a length that counts the NUL, and elsewhere the bytes, whose last one and no other is
//! NUL.
//!
//! As in the rest of the client protocol, patterns, filters and names of events are kept byte for byte; in names of
//! sessions, channels and triggers, what is not UTF-8 is replaced and never refused.

use crate::client::{self, bad_value, wire_len};
use crate::codec::{ErrorKind, Reader, Result};
use crate::text::Text;

/// Reads a string of `length` bytes, which may be empty.
pub(super) fn any(reader: &mut Reader<'_>, length: u32) -> Result<String> {
    client::name(reader, length, usize::MAX)
}

/// Reads a string of `length` bytes, which may be empty; `limit` counts the NUL.
pub(super) fn limited(reader: &mut Reader<'_>, length: u32, limit: usize) -> Result<String> {
    client::name(reader, length, limit)
}

/// Like [`limited`], for text that is kept byte for byte.
pub(super) fn kept(reader: &mut Reader<'_>, length: u32, limit: usize) -> Result<Text> {
    client::kept_text(reader, length, limit)
}

/// Reads a string of `length` bytes that is not empty, and is kept byte for byte.
pub(super) fn non_empty_kept(reader: &mut Reader<'_>, length: u32) -> Result<Text> {
    let empty = reader.error(ErrorKind::BadString);
    Some(kept(reader, length, usize::MAX)?).filter(|text| !text.is_empty()).ok_or(empty)
}

/// Reads a string of `length` bytes that is not empty.
pub(super) fn non_empty(reader: &mut Reader<'_>, length: u32) -> Result<String> {
    non_empty_limited(reader, length, usize::MAX)
}

/// Reads a string of `length` bytes that is not empty; `limit` counts the NUL.
pub(super) fn non_empty_limited(reader: &mut Reader<'_>, length: u32, limit: usize) -> Result<String> {
    let empty = reader.error(ErrorKind::BadString);
    Some(client::name(reader, length, limit)?).filter(|text| !text.is_empty()).ok_or(empty)
}

/// Reads a pattern of `length` bytes: not empty, and [normalised](normalise_pattern).
pub(super) fn pattern(reader: &mut Reader<'_>, length: u32) -> Result<Text> {
    non_empty_kept(reader, length).map(|pattern| normalise_pattern(&pattern))
}

/// Reads a filter of `length` bytes; a length of 0 means none, and one that is there is not empty.
pub(super) fn filter(reader: &mut Reader<'_>, length: u32) -> Result<Option<Text>> {
    match length {
        0 => Ok(None),
        length => non_empty_kept(reader, length).map(Some),
    }
}

/// Length of `text` on the wire, 0 when there is none.
pub(super) fn optional_len(text: Option<&(impl AsRef<[u8]> + ?Sized)>) -> u32 {
    text.map_or(0, wire_len)
}

/// A number of elements or bytes on the wire. What came from a decoder is far below the limit of u32.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Checks the length of something whose length can be nothing else.
pub(super) fn exact_length(reader: &Reader<'_>, length: u32, expected: usize) -> Result<()> {
    if length as usize == expected { Ok(()) } else { Err(bad_value(reader, length)) }
}

/// A pattern with each run of `*` as one `*`, as the stock daemon stores those of all rules. A backslash protects the
/// character after it: an escaped star, `\*`, is not of the run.
pub fn normalise_pattern(pattern: &(impl AsRef<[u8]> + ?Sized)) -> Text {
    let pattern = pattern.as_ref();
    let mut normalised = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter().copied();
    let mut after_star = false;
    while let Some(byte) = bytes.next() {
        if byte == b'*' && after_star {
            continue;
        }
        after_star = byte == b'*';
        normalised.push(byte);
        if byte == b'\\' {
            normalised.extend(bytes.next());
        }
    }
    normalised.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_stars_become_one() {
        for (pattern, normalised) in [
            ("a**b***", "a*b*"),
            ("***", "*"),
            ("*", "*"),
            (r"\**", r"\**"),
            (r"*\***", r"*\**"),
            (r"\\**", r"\\*"),
            (r"a\", r"a\"),
            ("**é**", "*é*"),
        ] {
            assert_eq!(normalise_pattern(pattern), normalised, "{pattern}");
        }
        assert_eq!(normalise_pattern("a**b*"), "a*b*");
        assert_eq!(normalise_pattern(r"\**x"), r"\**x");
        assert_eq!(normalise_pattern(r"*\**"), r"*\**");
        assert_eq!(normalise_pattern(r"end\"), r"end\");
        assert_eq!(normalise_pattern(b"\xff**\xfe\\\x80*".as_slice()).as_bytes(), b"\xff*\xfe\\\x80*");
    }

    #[test]
    fn empty_and_absent_are_told_apart() {
        let kind = |bytes: &[u8]| non_empty(&mut Reader::new("test", bytes), bytes.len() as u32);
        assert_eq!(kind(b"a\0").as_deref(), Ok("a"));
        for bytes in [&b"\0"[..], b"", b"a", b"a\0b\0"] {
            assert_eq!(kind(bytes).map_err(|error| error.kind), Err(ErrorKind::BadString), "{bytes:?}");
        }
        assert_eq!(any(&mut Reader::new("test", b"\0"), 1).as_deref(), Ok(""));
        assert_eq!(filter(&mut Reader::new("test", b""), 0), Ok(None));
        assert!(filter(&mut Reader::new("test", b"\0"), 1).is_err());
        assert_eq!(filter(&mut Reader::new("test", b"\xff\0"), 2), Ok(Some(b"\xff".as_slice().into())));
    }
}
