// SPDX-License-Identifier: GPL-2.0-only
//! Cursor over bytes, and its counterpart that appends them.
//!
//! The only place of the crate that touches raw offsets. Reading past the end is an [`Error`], never a panic.

use std::fmt;

use crate::text::Text;

/// Why bytes could not be decoded: what was being read, at which offset, and what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The message or structure being decoded, as its reference names it.
    pub what: &'static str,
    /// Offset in the bytes given to the decoder at which the problem was met.
    pub offset: usize,
    /// The problem.
    pub kind: ErrorKind,
}

/// The ways in which bytes can fail to be a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes end before the message does.
    Truncated,
    /// Bytes are left after the message.
    TrailingBytes,
    /// A string has no NUL where one must be, has one where none may be, or is not UTF-8.
    BadString,
    /// A number is outside the values that its field may have.
    BadValue(u64),
    /// A length is larger than the protocol allows.
    TooLong(u64),
    /// The message needs this many descriptors beside its bytes, and fewer came.
    MissingDescriptors(u32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: ", self.what, self.offset)?;
        match self.kind {
            ErrorKind::Truncated => write!(f, "truncated"),
            ErrorKind::TrailingBytes => write!(f, "bytes left over"),
            ErrorKind::BadString => write!(f, "malformed string"),
            ErrorKind::BadValue(value) => write!(f, "value {value} not allowed"),
            ErrorKind::TooLong(length) => write!(f, "length {length} not allowed"),
            ErrorKind::MissingDescriptors(count) => write!(f, "fewer descriptors than the {count} it needs"),
        }
    }
}

impl std::error::Error for Error {}

/// Result of a decoder.
pub type Result<T> = std::result::Result<T, Error>;

/// Reads values one after another: native-endian ones, big-endian ones where the name ends in `_be`.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    what: &'static str,
}

macro_rules! read_number {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("Reads a native-endian `", stringify!($type), "`.")]
        pub fn $name(&mut self) -> Result<$type> {
            let mut raw = [0; size_of::<$type>()];
            raw.copy_from_slice(self.bytes(size_of::<$type>())?);
            Ok(<$type>::from_ne_bytes(raw))
        }
    )*};
}

macro_rules! read_network_number {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("Reads a big-endian `", stringify!($type), "`.")]
        pub fn $name(&mut self) -> Result<$type> {
            self.array().map(<$type>::from_be_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`; `what` names the message in errors.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Reader { bytes, offset: 0, what }
    }

    read_number!(u8: u8, i8: i8, u16: u16, u32: u32, i32: i32, u64: u64, i64: i64);
    read_network_number!(u32_be: u32, u64_be: u64);

    /// An error of this message at the current offset.
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error { what: self.what, offset: self.offset, kind }
    }

    /// Offset of the next byte to be read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    /// Reads `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.offset.checked_add(count).ok_or_else(|| self.error(ErrorKind::Truncated))?;
        let slice = self.bytes.get(self.offset..end).ok_or_else(|| self.error(ErrorKind::Truncated))?;
        self.offset = end;
        Ok(slice)
    }

    /// Reads a fixed-size array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// Skips `count` bytes of padding.
    pub fn skip(&mut self, count: usize) -> Result<()> {
        self.bytes(count).map(drop)
    }

    /// Goes on at an absolute offset.
    pub fn seek(&mut self, offset: usize) -> Result<()> {
        if offset > self.bytes.len() {
            return Err(self.error(ErrorKind::Truncated));
        }
        self.offset = offset;
        Ok(())
    }

    /// Reads a fixed array of `size` bytes that holds a string. The string ends at the first NUL; one that
    /// fills the whole array is cut by one byte, so the result is always shorter than `size`.
    pub fn fixed_string(&mut self, size: usize) -> Result<String> {
        let start = self.offset;
        let field = self.bytes(size)?;
        let length = field.iter().position(|&byte| byte == 0).unwrap_or(size.saturating_sub(1));
        let text = field.get(..length).unwrap_or_default();
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| Error {
            what: self.what,
            offset: start,
            kind: ErrorKind::BadString,
        })
    }

    /// Like [`Reader::fixed_string`], for text that an application chose freely (process names, labels): its
    /// bytes are kept as they are.
    pub fn fixed_text(&mut self, size: usize) -> Result<Text> {
        let field = self.bytes(size)?;
        let length = field.iter().position(|&byte| byte == 0).unwrap_or(size.saturating_sub(1));
        Ok(field.get(..length).unwrap_or_default().into())
    }

    /// Reads a string of `length` bytes whose last byte, and no other, is NUL.
    pub fn c_string(&mut self, length: usize) -> Result<String> {
        let start = self.offset;
        let bad = Error { what: self.what, offset: start, kind: ErrorKind::BadString };
        let Some((&0, text)) = self.bytes(length)?.split_last() else { return Err(bad) };
        if text.contains(&0) {
            return Err(bad);
        }
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| bad)
    }

    /// Checks that everything was read.
    pub fn finish(&self) -> Result<()> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error(ErrorKind::TrailingBytes)) }
    }
}

/// Appends values: native-endian ones, big-endian ones where the name ends in `_be`.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

macro_rules! write_number {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("Appends a native-endian `", stringify!($type), "`.")]
        pub fn $name(&mut self, value: $type) -> &mut Self {
            self.bytes.extend_from_slice(&value.to_ne_bytes());
            self
        }
    )*};
}

macro_rules! write_network_number {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("Appends a big-endian `", stringify!($type), "`.")]
        pub fn $name(&mut self, value: $type) -> &mut Self {
            self.bytes(&value.to_be_bytes())
        }
    )*};
}

impl Writer {
    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer { bytes: Vec::with_capacity(capacity) }
    }

    write_number!(u8: u8, i8: i8, u16: u16, u32: u32, i32: i32, u64: u64, i64: i64);
    write_network_number!(u32_be: u32, u64_be: u64);

    /// Number of bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends `count` zero bytes.
    pub fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len().saturating_add(count), 0);
        self
    }

    /// Appends zero bytes until `length` bytes are written in all.
    pub fn pad_to(&mut self, length: usize) -> &mut Self {
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self
    }

    /// Appends a fixed array of `size` bytes that holds `text` and at least one NUL; longer text is cut.
    pub fn fixed_string(&mut self, text: &(impl AsRef<[u8]> + ?Sized), size: usize) -> &mut Self {
        let text = text.as_ref();
        let end = self.bytes.len().saturating_add(size);
        let kept = text.len().min(size.saturating_sub(1));
        self.bytes.extend_from_slice(text.get(..kept).unwrap_or_default());
        self.pad_to(end)
    }

    /// Appends `text` and one NUL.
    pub fn c_string(&mut self, text: &(impl AsRef<[u8]> + ?Sized)) -> &mut Self {
        self.bytes.extend_from_slice(text.as_ref());
        self.u8(0)
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round() {
        let mut writer = Writer::default();
        writer.u8(1).i8(-2).u16(3).u32(4).i32(-5).u64(6).i64(-7);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new("test", &bytes);
        assert_eq!((reader.u8(), reader.i8(), reader.u16()), (Ok(1), Ok(-2), Ok(3)));
        assert_eq!((reader.u32(), reader.i32()), (Ok(4), Ok(-5)));
        assert_eq!((reader.u64(), reader.i64()), (Ok(6), Ok(-7)));
        assert_eq!(reader.finish(), Ok(()));
        assert_eq!(reader.u8(), Err(Error { what: "test", offset: 28, kind: ErrorKind::Truncated }));
    }

    #[test]
    fn network_numbers_are_big_endian() {
        let mut writer = Writer::default();
        writer.u32_be(0x0102_0304).u64_be(5);
        let bytes = writer.into_bytes();
        assert_eq!(bytes, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5]);
        let mut reader = Reader::new("test", &bytes);
        assert_eq!((reader.u32_be(), reader.u64_be()), (Ok(0x0102_0304), Ok(5)));
    }

    #[test]
    fn strings_end_at_their_nul() {
        let mut reader = Reader::new("test", b"ab\0xabcdok\0a\0b\0");
        assert_eq!(reader.fixed_string(4).as_deref(), Ok("ab"));
        assert_eq!(reader.fixed_string(4).as_deref(), Ok("abc"));
        assert_eq!(reader.c_string(3).as_deref(), Ok("ok"));
        assert_eq!(reader.c_string(4).map_err(|error| error.kind), Err(ErrorKind::BadString));
        assert_eq!(
            Reader::new("test", b"").c_string(0).map_err(|error| error.kind),
            Err(ErrorKind::BadString)
        );
    }

    #[test]
    fn fixed_strings_always_hold_a_nul() {
        let mut writer = Writer::default();
        writer.fixed_string("abcdef", 4).fixed_string("x", 3);
        assert_eq!(writer.into_bytes(), b"abc\0x\0\0");
    }
}
