// SPDX-License-Identifier: GPL-2.0-only
//! The strings of the client protocol.
//!
//! Patterns, filters, and the names that applications chose, are kept byte for byte: a replaced byte would match
//! another event. In names that mean something to this daemon only, what is not UTF-8 is replaced, never refused, and
//! the result never outgrows its limit, so that it can be sent back. A path that is not UTF-8 is an error: a
//! replaced byte would name another file.

use crate::codec::{ErrorKind, Reader, Result};
use crate::text::Text;

/// `LTTNG_SYMBOL_NAME_LEN`: bytes of a channel, event, exclusion or symbol name, NUL included.
pub const SYMBOL_LEN: usize = 256;
/// `LTTNG_NAME_MAX`: bytes of a session name, NUL included.
pub const NAME_LEN: usize = 255;
/// `LTTNG_PATH_MAX`: bytes of a path or URL, NUL included.
pub const PATH_LEN: usize = 4096;
/// `LTTNG_FILTER_MAX_LEN`: bytes of a filter expression, NUL included, and of a bytecode without its header.
pub const FILTER_LEN: usize = 65536;

/// Reads a fixed array of `size` bytes that holds a name.
pub(super) fn fixed_name(reader: &mut Reader<'_>, size: usize) -> Result<String> {
    let field = reader.bytes(size)?;
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    Ok(lossy(field.get(..end).unwrap_or_default(), size))
}

/// Reads a name of `length` bytes whose last byte, and no other, is NUL; `limit` counts that NUL.
pub(crate) fn name(reader: &mut Reader<'_>, length: u32, limit: usize) -> Result<String> {
    text(reader, length, limit).map(|text| lossy(text.as_bytes(), limit))
}

/// Like [`name`], for text that is kept byte for byte.
pub(crate) fn text(reader: &mut Reader<'_>, length: u32, limit: usize) -> Result<Text> {
    let at_start = reader.error(ErrorKind::BadString);
    let text = terminated(reader, length, limit)?;
    if text.contains(&0) {
        return Err(at_start);
    }
    Ok(text.into())
}

/// Like [`name`], for a path: it must be UTF-8.
pub(super) fn path(reader: &mut Reader<'_>, length: u32, limit: usize) -> Result<String> {
    if length as usize > limit {
        return Err(reader.error(ErrorKind::TooLong(length.into())));
    }
    reader.c_string(length as usize)
}

/// Length of `text` on the wire, NUL included. Text that came from a decoder is far below the limit of u32.
pub(crate) fn wire_len(text: &(impl AsRef<[u8]> + ?Sized)) -> u32 {
    u32::try_from(text.as_ref().len().saturating_add(1)).unwrap_or(u32::MAX)
}

fn terminated<'a>(reader: &mut Reader<'a>, length: u32, limit: usize) -> Result<&'a [u8]> {
    let bad = reader.error(ErrorKind::BadString);
    if length as usize > limit {
        return Err(reader.error(ErrorKind::TooLong(length.into())));
    }
    match reader.bytes(length as usize)?.split_last() {
        Some((&0, text)) => Ok(text),
        _ => Err(bad),
    }
}

/// Replaces what is not UTF-8. Each replacement is longer than what it replaces, so the result is cut, at a
/// character's edge, to fit `limit` bytes with its NUL.
fn lossy(bytes: &[u8], limit: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let mut end = text.len().min(limit.saturating_sub(1));
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lossy_names_fit_their_field() {
        let text = fixed_name(&mut Reader::new("test", &[0xff; 10]), 10).unwrap();
        assert_eq!(text, "\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(name(&mut Reader::new("test", b"a\xffb\0"), 4, 256).as_deref(), Ok("a\u{fffd}b"));
        let kept = super::text(&mut Reader::new("test", b"a\xffb\0"), 4, 256);
        assert_eq!(kept, Ok(b"a\xffb".as_slice().into()));
    }

    #[test]
    fn lengths_are_checked_before_the_bytes() {
        let kind = |bytes: &[u8], length, limit| {
            name(&mut Reader::new("test", bytes), length, limit).unwrap_err().kind
        };
        assert_eq!(kind(b"", 0, 256), ErrorKind::BadString);
        assert_eq!(kind(b"", 257, 256), ErrorKind::TooLong(257));
        assert_eq!(kind(b"ab", 3, 256), ErrorKind::Truncated);
        assert_eq!(kind(b"abc", 3, 256), ErrorKind::BadString);
        assert_eq!(kind(b"a\0\0", 3, 256), ErrorKind::BadString);
    }

    #[test]
    fn paths_are_never_guessed() {
        let kind =
            |bytes: &[u8]| path(&mut Reader::new("test", bytes), bytes.len() as u32, 8).unwrap_err().kind;
        assert_eq!(kind(b"/\xff\0"), ErrorKind::BadString);
        assert_eq!(kind(b"/345678\0\0"), ErrorKind::TooLong(9));
    }
}
