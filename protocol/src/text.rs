// SPDX-License-Identifier: GPL-2.0-only
//! Text that somebody else chose: names, labels, patterns.
//!
//! C programs take any bytes for text, so whoever passes a text on must have the very same bytes: an event whose name
//! was mended is another event. Nothing here may change, refuse or interpret a byte; only people get to see a mended
//! form.

use std::borrow::Borrow;
use std::fmt::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, usually UTF-8, without a NUL where they come from a decoder of this crate.
///
/// `Display` and `Debug` are for logs: the first replaces what is not UTF-8, the second escapes it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<[u8]>);

impl Text {
    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text(bytes.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Text(bytes.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}{}", chunk.valid().escape_debug(), chunk.invalid().escape_ascii())?;
        }
        f.write_char('"')
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::deserialize(deserializer).map(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_what_is_not_utf8() {
        let text = Text::from(b"gr\xf6\xc3\x9f\n\"".as_slice());
        assert_eq!(text.to_string(), "gr\u{fffd}\u{df}\n\"");
        assert_eq!(format!("{text:?}"), r#""gr\xf6ß\n\"""#);
    }

    #[test]
    fn bytes_are_what_they_were() {
        let bytes: Vec<u8> = (1..=255).collect();
        let text = Text::from(bytes.clone());
        assert_eq!((text.as_bytes(), text.len()), (bytes.as_slice(), 255));
        let a = Text::from("a");
        assert!(a == "a" && a != *"b");
    }
}
