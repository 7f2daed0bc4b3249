// SPDX-License-Identifier: GPL-2.0-only
//! What can be wrong with a filter that someone wrote.

use crate::client::ErrorCode;
use std::fmt;

/// Why a filter does not compile, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileError {
    /// Offset in the text, in bytes, of the word with the mistake, or of the operator whose operands do not
    /// fit. The text's length when its end came too soon.
    pub position: usize,
    /// The mistake.
    pub kind: CompileErrorKind,
}

/// The ways in which a filter can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompileErrorKind {
    /// The text has more than [`super::MAX_TEXT`] bytes.
    TextTooLong(usize),
    /// No word of the language begins with this byte.
    UnexpectedByte(u8),
    /// The closing quote is missing.
    UnterminatedText,
    /// There is nothing between single quotes. (Between double quotes there may be nothing.)
    EmptyQuotes,
    /// `ESCSEQ` stands in a text, which the stock library cannot read.
    ReservedText,
    /// A hexadecimal integer starts with `0X`, not `0x`.
    HexadecimalPrefix,
    /// A single 0 has a suffix.
    SuffixOfZero,
    /// A field, context, number, text or parenthesis was to come here.
    ExpectedOperand,
    /// An operator or the end was to come here.
    ExpectedOperator,
    /// The name of a field or context was to come here, after `.` or `->`.
    ExpectedName,
    /// The `]` of an index was to come here.
    ExpectedBracket,
    /// No `)` belongs to this `(`.
    UnclosedParenthesis,
    /// No `(` or `[` belongs to this `)` or `]`.
    Unopened(u8),
    /// Operators, parentheses and indexes nest deeper than the stock parser reads.
    NestedTooDeep,
    /// `$ctx` or `$app` is not followed by a name.
    ContextWithoutName,
    /// A path starts with a `$` word other than `$ctx` and `$app`.
    UnknownRoot,
    /// An index is not an integer literal.
    IndexNotConstant,
    /// This operator takes no text.
    TextOperand,
    /// This operator takes no floating-point number.
    FloatOperand,
    /// A text is compared with a number.
    TextAndNumber,
    /// The language has arithmetic operators, but no tracer computes them.
    Arithmetic,
    /// Two texts with asterisks are compared, and not both have theirs at the end only.
    TwoPatterns,
    /// A pattern is compared with something other than `==` and `!=`.
    PatternOperator,
    /// A backslash in a text is not followed by `\` or `*`.
    Escape,
    /// The whole expression is a text.
    TextResult,
    /// The whole expression is a floating-point number.
    FloatResult,
    /// More than [`super::MAX_STACK`] values have to be kept at one time.
    StackFull,
    /// A name has more than [`super::MAX_NAME`] bytes, the path to it included when it has no index.
    NameTooLong(usize),
    /// The bytecode would be longer than [`super::MAX_COMPILED`] bytes.
    BytecodeTooLong,
}

impl CompileError {
    /// The error to answer: whatever is wrong with a filter, it is `LTTNG_ERR_FILTER_INVAL` (106).
    pub fn code(&self) -> ErrorCode {
        ErrorCode::FilterInval
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The filter is wrong at byte {}: {}.", self.position, self.kind)
    }
}

impl fmt::Display for CompileErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::TextTooLong(length) => {
                return write!(f, "it has {length} bytes, and no more than {} are allowed", super::MAX_TEXT);
            }
            Self::UnexpectedByte(byte) => {
                return write!(f, "`{}` has no meaning here", byte.escape_ascii());
            }
            Self::Unopened(byte) => {
                return write!(f, "nothing was opened that `{}` could close", byte.escape_ascii());
            }
            Self::NameTooLong(length) => {
                return write!(
                    f,
                    "the name has {length} bytes, and no more than {} are allowed",
                    super::MAX_NAME
                );
            }
            Self::UnterminatedText => "the text has no closing quote",
            Self::EmptyQuotes => "an empty text stands in double quotes, not in single ones",
            Self::ReservedText => "a text must not contain `ESCSEQ`",
            Self::HexadecimalPrefix => "a hexadecimal integer starts with `0x`",
            Self::SuffixOfZero => "a single 0 takes no suffix",
            Self::ExpectedOperand => "a field, a context, a number, a text or a parenthesis is missing",
            Self::ExpectedOperator => "an operator is missing",
            Self::ExpectedName => "the name of a field or a context is missing",
            Self::ExpectedBracket => "the index is not closed",
            Self::UnclosedParenthesis => "the parenthesis is not closed",
            Self::NestedTooDeep => "operators, parentheses or indexes are nested too deep",
            Self::ContextWithoutName => "the name of the context is missing",
            Self::UnknownRoot => "only `$ctx` and `$app` can start with `$`",
            Self::IndexNotConstant => "an index must be a plain integer",
            Self::TextOperand => "the operator cannot be applied to a text",
            Self::FloatOperand => "the operator cannot be applied to a floating-point number",
            Self::TextAndNumber => "a text cannot be compared with a number",
            Self::Arithmetic => "arithmetic is not supported",
            Self::TwoPatterns => "two patterns cannot be compared",
            Self::PatternOperator => "a pattern can be compared with `==` and `!=` only",
            Self::Escape => "a backslash in a text must be followed by a backslash or an asterisk",
            Self::TextResult => "the result of the whole expression cannot be a text",
            Self::FloatResult => "the result of the whole expression cannot be a floating-point number",
            Self::StackFull => {
                return write!(f, "more than {} intermediate values are needed", super::MAX_STACK);
            }
            Self::BytecodeTooLong => "the compiled filter is too long",
        };
        f.write_str(text)
    }
}

impl std::error::Error for CompileError {}
