// SPDX-License-Identifier: GPL-2.0-only
//! Compiles what a trigger captures.
//!
//! The bytecode is a path that ends without being loaded: the tracer finds out by itself what it captures.

use super::generate::{Assembler, Root};
use super::{Bytecode, MAX_NAME};
use crate::client::ErrorCode;
use crate::expression::{EventExpression, MAX_DEPTH};
use std::fmt;

/// Why an expression cannot be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureError {
    /// It has more than [`MAX_DEPTH`] elements inside one another.
    TooDeep,
    /// A name has more than [`MAX_NAME`] bytes: tracers know none that long.
    NameTooLong(usize),
    /// A name has a NUL in it, where it would end.
    NameWithNul,
}

impl CaptureError {
    /// The error to answer: `LTTNG_ERR_INVALID_CAPTURE_EXPRESSION` (165).
    pub fn code(&self) -> ErrorCode {
        ErrorCode::InvalidCaptureExpression
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "The captured expression has more than {MAX_DEPTH} indexes."),
            Self::NameTooLong(length) => write!(
                f,
                "A name in the captured expression has {length} bytes, and no more than {MAX_NAME} are allowed."
            ),
            Self::NameWithNul => write!(f, "A name in the captured expression has a NUL byte in it."),
        }
    }
}

impl std::error::Error for CaptureError {}

/// Compiles an expression. The bytecode has no number: that is for the message it is sent in.
///
/// # Errors
///
/// What is wrong with the names or the depth. A name that no tracer knows, an empty one included, is not an
/// error: nothing will be captured.
pub fn compile(expression: &EventExpression) -> Result<Bytecode, CaptureError> {
    let (root, indexes) = expression.root_and_indexes().ok_or(CaptureError::TooDeep)?;
    let (root, name) = match root {
        EventExpression::PayloadField(name) => (Root::Payload, name.clone()),
        EventExpression::ChannelContext(name) => (Root::Context, name.clone()),
        EventExpression::AppContext { provider, kind } => (Root::AppContext, format!("{provider}:{kind}")),
        EventExpression::ArrayElement { .. } => return Err(CaptureError::TooDeep),
    };
    if name.contains('\0') {
        return Err(CaptureError::NameWithNul);
    }
    let too_long = |_| CaptureError::NameTooLong(name.len());
    let mut assembler = Assembler::default();
    assembler.root(root);
    assembler.symbol(name.as_bytes()).map_err(too_long)?;
    for index in indexes {
        assembler.index(index.into());
    }
    assembler.finish().map_err(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Writer;

    fn field(name: &str) -> EventExpression {
        EventExpression::PayloadField(name.to_owned())
    }

    fn element(parent: EventExpression, index: u32) -> EventExpression {
        EventExpression::ArrayElement { index, parent: Box::new(parent) }
    }

    #[test]
    fn elements_are_taken_from_the_outermost_array_on() {
        let bytecode = compile(&element(element(field("a"), 1), 0x0203)).unwrap();
        let mut expected = Writer::default();
        expected.u8(81).u8(82).u16(2).u8(85).u64(1).u8(85).u64(0x0203).u8(1).u16(1).c_string("a");
        let expected = expected.into_bytes();
        assert_eq!(bytecode, Bytecode { data: expected, reloc_offset: 23 });
    }

    #[test]
    fn what_cannot_be_captured_is_refused() {
        let nested = |depth| (0..depth).fold(field("a"), element);
        let depth = MAX_DEPTH as u32;
        assert!(compile(&nested(depth)).is_ok());
        assert_eq!(compile(&nested(depth + 1)), Err(CaptureError::TooDeep));
        assert!(compile(&field(&"a".repeat(MAX_NAME))).is_ok());
        let app =
            |length: usize| EventExpression::AppContext { provider: "p".repeat(length), kind: "t".into() };
        assert!(compile(&app(MAX_NAME - 2)).is_ok());
        assert_eq!(compile(&app(MAX_NAME - 1)), Err(CaptureError::NameTooLong(MAX_NAME + 1)));
        assert_eq!(compile(&field("a\0b")), Err(CaptureError::NameWithNul));
        // A name that nothing can have is no error.
        assert!(compile(&field("")).is_ok());
        let error = CaptureError::NameTooLong(300);
        assert_eq!(
            error.to_string(),
            "A name in the captured expression has 300 bytes, and no more than 255 are allowed."
        );
        assert_eq!(error.code(), ErrorCode::InvalidCaptureExpression);
    }
}
