// SPDX-License-Identifier: GPL-2.0-only
//! The bytes of an [`EventExpression`]: u8 kind, then its body.
//!
//! | Kind | Body |
//! |---|---|
//! | 0 payload field | u32 length, name |
//! | 1 channel context | u32 length, name without `$ctx.` |
//! | 2 application context | u32 length, provider; u32 length, context |
//! | 3 array element | u32 index, then the expression of the array |
//!
//! Elements nest to [`MAX_DEPTH`] and no deeper. The original has no limit, and recurses.

use super::text;
use crate::client::{bad_value, wire_len};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::expression::{EventExpression, MAX_DEPTH};

/// Reads one expression.
pub(super) fn decode(reader: &mut Reader<'_>) -> Result<EventExpression> {
    let mut indexes = Vec::new();
    loop {
        let root = match reader.u8()? {
            0 => EventExpression::PayloadField(name(reader)?),
            1 => EventExpression::ChannelContext(name(reader)?),
            2 => EventExpression::AppContext { provider: name(reader)?, kind: name(reader)? },
            3 if indexes.len() == MAX_DEPTH => {
                return Err(reader.error(ErrorKind::TooLong(MAX_DEPTH as u64 + 1)));
            }
            3 => {
                indexes.push(reader.u32()?);
                continue;
            }
            other => return Err(bad_value(reader, other)),
        };
        let element = |parent, index| EventExpression::ArrayElement { index, parent: Box::new(parent) };
        return Ok(indexes.into_iter().rev().fold(root, element));
    }
}

/// Appends the expression.
pub(super) fn encode(expression: &EventExpression, writer: &mut Writer) {
    let mut expression = expression;
    while let EventExpression::ArrayElement { index, parent } = expression {
        writer.u8(3).u32(*index);
        expression = parent;
    }
    match expression {
        EventExpression::PayloadField(name) => writer.u8(0).u32(wire_len(name)).c_string(name),
        EventExpression::ChannelContext(name) => writer.u8(1).u32(wire_len(name)).c_string(name),
        EventExpression::AppContext { provider, kind } => {
            writer.u8(2).u32(wire_len(provider)).c_string(provider).u32(wire_len(kind)).c_string(kind)
        }
        EventExpression::ArrayElement { .. } => writer,
    };
}

fn name(reader: &mut Reader<'_>) -> Result<String> {
    let length = reader.u32()?;
    text::any(reader, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> std::result::Result<EventExpression, ErrorKind> {
        let mut reader = Reader::new("test", bytes);
        let expression = decode(&mut reader).map_err(|error| error.kind)?;
        assert_eq!(reader.finish(), Ok(()));
        let mut writer = Writer::default();
        encode(&expression, &mut writer);
        assert_eq!(writer.into_bytes(), bytes);
        Ok(expression)
    }

    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = node(3, 1, b"").repeat(depth);
        bytes.extend(node(0, 2, b"a\0"));
        bytes
    }

    /// A node that begins with one number, a length or an index.
    fn node(kind: u8, number: u32, rest: &[u8]) -> Vec<u8> {
        [&[kind], &number.to_ne_bytes()[..], rest].concat()
    }

    #[test]
    fn the_outermost_index_is_the_innermost_node() {
        let app = [node(2, 2, b"p\0"), node(2, 2, b"t\0").split_off(1)].concat();
        let bytes = node(3, 2, &node(3, u32::MAX, &app));
        assert_eq!(
            decoded(&bytes).map(|expression| expression.to_string()).as_deref(),
            Ok("$app.p:t[4294967295][2]")
        );
        assert_eq!(decoded(&node(0, 1, b"\0")), Ok(EventExpression::PayloadField(String::new())));
        assert_eq!(decoded(&node(1, 2, b"a\0")), Ok(EventExpression::ChannelContext("a".to_owned())));
    }

    #[test]
    fn malformed_expressions() {
        assert_eq!(decoded(&node(4, 2, b"a\0")), Err(ErrorKind::BadValue(4)));
        assert_eq!(decoded(b"\0\0\0\0\0"), Err(ErrorKind::BadString));
        assert_eq!(decoded(&node(0, 2, b"ab")), Err(ErrorKind::BadString));
        assert_eq!(decoded(&node(2, 2, b"a\0")), Err(ErrorKind::Truncated));
        assert_eq!(decoded(&node(3, 2, b"")), Err(ErrorKind::Truncated));
        assert_eq!(decoded(b""), Err(ErrorKind::Truncated));
    }

    #[test]
    fn nesting_needs_no_stack() {
        let deepest = decoded(&nested(MAX_DEPTH)).unwrap();
        assert_eq!(deepest.root_and_indexes().map(|(_, indexes)| indexes.len()), Some(MAX_DEPTH));
        for depth in [MAX_DEPTH + 1, 200_000] {
            assert_eq!(decoded(&nested(depth)), Err(ErrorKind::TooLong(MAX_DEPTH as u64 + 1)));
        }
    }
}
